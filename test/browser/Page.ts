/**
 * The script of the test page: runs the experiment as the address asks, `?relaxedSimd&threads=4`, and writes the report into the page.
 */
import { type Report, run } from "./Experiment.ts"

const asked = new URLSearchParams(location.search)
const threads = asked.get("threads")

const row = (cells: ReadonlyArray<string>): HTMLTableRowElement => {
  const tr = document.createElement("tr")
  for (const cell of cells) tr.insertCell().textContent = cell
  return tr
}

const show = (report: Report): void => {
  const { losses, lossBits, kernels, ...rest } = report
  const table = document.createElement("table")
  for (const [name, value] of Object.entries({ ...rest, kernels: kernels.length }))
    table.append(row([name, typeof value === "object" ? JSON.stringify(value) : `${value}`]))
  table.append(...losses.map((loss, i) => row([`loss ${i + 1}`, loss.toFixed(6)])))
  document.body.append(table)
}

/** What the test waits for: a report, or why there is none. */
const finish = (state: "done" | "failed", text: string): void => {
  const answer = document.createElement("script")
  answer.type = "application/json"
  answer.id = "answer"
  answer.textContent = text
  document.body.append(answer)
  document.title = state
}

try {
  const report = await run({
    wasmPaths: "/wasm/",
    relaxedSimd: asked.has("relaxedSimd"),
    threads: threads !== "0",
    ...(Number(threads) > 0 ? { threadCount: Number(threads) } : {})
  })
  show(report)
  finish("done", JSON.stringify({ ...report, crossOriginIsolated }))
} catch (cause) {
  finish("failed", cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))
}

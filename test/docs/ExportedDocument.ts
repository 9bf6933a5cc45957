/**
 * The page `docs/exported.md` as it should be: every kind of layer is tried in every form.
 */
import { Effect } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import type { NotExportable } from "../../src/tensor/Errors.ts"
import * as Layers from "../exchange/Layers.ts"

/** Where the page is. */
export const file = new URL("../../docs/exported.md", import.meta.url)

const columns = { qcdq: "QCDQ", qonnx: "QONNX", integers: "integers" } as const

/** Whether a layer leaves in each form, or why it does not. */
const row = (one: Layers.Case) =>
  Effect.gen(function* () {
    const { model } = yield* Layers.trained(one)
    const all = Layers.targets(model, one)
    return yield* Effect.forEach(Object.keys(columns) as ReadonlyArray<keyof typeof columns>, (target) =>
      (all[target] as Effect.Effect<unknown, NotExportable>).pipe(
        Effect.as("yes"),
        Effect.catch(({ reason }) => Effect.succeed(reason))
      )
    )
  })

/** What should be in it. */
export const page = async (): Promise<string> => {
  const rows = await Effect.runPromise(
    Effect.forEach(Object.entries(Layers.cases), ([title, one]) =>
      Effect.map(Effect.orDie(Effect.scoped(row(one))), (cells) => [title, cells] as const)
    ).pipe(Effect.provide(Backend.layer))
  )
  const reasons = [...new Set(rows.flatMap(([, cells]) => cells.filter((cell) => cell !== "yes")))]
  const table = [
    ["layer", ...Object.values(columns)],
    ...rows.map(([title, cells]) => [
      title,
      ...cells.map((cell) => (cell === "yes" ? "yes" : `no (${reasons.indexOf(cell) + 1})`))
    ])
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => (cells[column] as string).length))) ?? []
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] as number)).join(" | ")} |`
  const [head, ...body] = table as ReadonlyArray<ReadonlyArray<string>>
  return [
    "# Which layers can be exported",
    "",
    "Every kind of layer after a quantizer of 8 bits, with its usual quantizers (biases of 32 bits), in opset 21; written by",
    "`npm run exported`, and checked by a test that also runs every file. ONNX without quantization takes what QCDQ or QONNX takes. See",
    "the [guide](guide/export.md) for the formats, and for what quantizers ask of them.",
    "",
    line(head as ReadonlyArray<string>),
    line(widths.map((width) => "-".repeat(width))),
    ...body.map(line),
    "",
    "A number stands for the reason that the error names:",
    "",
    ...reasons.map((reason, i) => `${i + 1}. ${reason}`),
    ""
  ].join("\n")
}

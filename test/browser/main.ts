/**
 * `npm run test:browser [-- --screenshots FOLDER] [--only NAME]`: breve as it is published, or as the file BREVE_TARBALL has it, in
 * headless Chromium. Bundled by Vite, without a bundler, and with shared memory, the experiment has to give the same bits as in Node.
 */
import { join } from "node:path"
import { Effect } from "effect"
import * as Application from "./Application.ts"
import * as Chromium from "./Chromium.ts"
import type { Report } from "./Experiment.ts"
import * as Server from "./Server.ts"

interface Page {
  readonly name: string
  readonly path: string
  readonly shared: boolean
  /** whether every bit has to be Node's */
  readonly exact: boolean
}

const pages: ReadonlyArray<Page> = [
  { name: "bundled", path: "/bundled/", shared: false, exact: true },
  { name: "bundled, isolated, no threads", path: "/isolated-bundled/?threads=0", shared: false, exact: true },
  { name: "unbundled", path: "/plain/", shared: false, exact: true },
  { name: "isolated", path: "/isolated/", shared: true, exact: true },
  { name: "isolated, 4 threads", path: "/isolated/?threads=4", shared: true, exact: true },
  { name: "relaxed SIMD", path: "/bundled/?relaxedSimd", shared: false, exact: false },
  { name: "relaxed SIMD, isolated", path: "/isolated/?relaxedSimd", shared: true, exact: false }
]

/** Vite's minifier breaks the workers of tfjs: the start has to say so, where tfjs would wait for ever. */
const broken = { path: "/isolated-bundled/", says: /its threads fail .*threads: false/ }

/** How far losses may differ that are computed with fused multiply-adds. */
const tolerance = 1e-3

const differenceOf = (a: Report, b: Report): number =>
  a.losses.reduce((most, loss, i) => Math.max(most, Math.abs(loss - (b.losses[i] ?? Number.NaN))), 0)

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** What is wrong with a page's report. */
const faults = (page: Page, report: Report, node: Report): ReadonlyArray<string> => {
  const differs = (field: keyof Report) =>
    same(report[field], node[field])
      ? []
      : [`${field}: ${JSON.stringify(report[field])}, in Node ${JSON.stringify(node[field])}`]
  const difference = differenceOf(report, node)
  return [
    ...(["backend", "kernels", "quantized", "tensorsLeft"] as const).flatMap(differs),
    ...(page.exact ? (["lossBits", "state", "accuracy", "exported", "certificate"] as const).flatMap(differs) : []),
    ...(difference <= tolerance ? [] : [`the losses differ from Node's by ${difference}`]),
    ...(report.certificate.certified ? [] : [`its file is not certified: ${JSON.stringify(report.certificate)}`]),
    // fused multiply-adds that changed no bit were not used
    ...(!page.exact && report.state === node.state ? ["the relaxed kernels did not run"] : []),
    ...(report.sharedMemory === page.shared ? [] : [`the memory is ${page.shared ? "not " : ""}shared`])
  ]
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, x) => sum + x, 0) / values.length

const nodeFaults = ({ losses, kernels, certificate, tensorsLeft }: Report): ReadonlyArray<string> => [
  ...(losses.length === 20 && losses.every(Number.isFinite) ? [] : [`losses: ${losses}`]),
  ...(mean(losses.slice(-5)) < mean(losses.slice(0, 5)) ? [] : [`the loss does not fall: ${losses}`]),
  ...(certificate.certified ? [] : [`the file is not certified: ${JSON.stringify(certificate)}`]),
  ...(kernels.length > 0 ? [] : ["no kernel of breve is there"]),
  ...(tensorsLeft === 0 ? [] : [`${tensorsLeft} tensors are left`])
]

const complaintsOf = (visit: Chromium.Visit): ReadonlyArray<string> =>
  visit.title === "done" ? visit.complaints : [...visit.complaints, visit.answer]

/** Of the file in the runtime, and of the model, beside the integers. */
const equalOf = ({ certificate }: Report): string =>
  certificate.comparisons.map(({ equal, outputs }) => `${equal}/${outputs}`).join(" ")

const line = (name: string, report: Report, node: Report): Readonly<Record<string, string | number>> => ({
  where: name,
  "first loss": report.losses[0] ?? Number.NaN,
  "last loss": report.losses.at(-1) ?? Number.NaN,
  "equal losses": report.lossBits.filter((bits, i) => bits === node.lossBits[i]).length,
  "largest difference": differenceOf(report, node),
  state: report.state.slice(0, 12),
  exported: report.exported[0].slice(0, 12),
  "equal outputs": equalOf(report),
  certified: `${report.certificate.certified}`,
  kernels: report.kernels.length,
  "ms per step": Number(report.msPerStep.toFixed(1))
})

const program = (executable: string, screenshots: string | undefined) =>
  Effect.gen(function* () {
    const app = yield* Application.make
    const node: Report = JSON.parse(yield* Application.inNode(app))
    const origin = yield* Server.serve([
      { prefix: "/bundled/", folder: app.bundled },
      { prefix: "/isolated-bundled/", folder: app.bundled, isolated: true },
      { prefix: "/plain/", folder: app.plain },
      { prefix: "/isolated/", folder: app.plain, isolated: true },
      { prefix: "/node_modules/", folder: app.modules, isolated: true },
      { prefix: "/wasm/", folder: app.wasm, isolated: true }
    ])
    const browser = yield* Chromium.launch(executable)
    const visits = yield* Effect.forEach(
      pages.filter(({ name }) => name.startsWith(option("only") ?? "")),
      (page) =>
        Effect.map(
          Chromium.visit(
            browser,
            origin + page.path,
            screenshots === undefined ? undefined : join(screenshots, `${page.name.replaceAll(/\W+/g, "-")}.png`)
          ),
          (visit) => {
            const complaints = complaintsOf(visit)
            if (complaints.length > 0) return { rows: [], wrong: complaints.map((text) => `${page.name}: ${text}`) }
            const report: Report = JSON.parse(visit.answer)
            return {
              rows: [line(page.name, report, node)],
              wrong: faults(page, report, node).map((text) => `${page.name}: ${text}`)
            }
          }
        )
    )
    const { answer } = yield* Chromium.visit(browser, origin + broken.path)
    const unsaid = broken.says.test(answer) ? [] : [`bundled, isolated: does not fail as it should: ${answer}`]
    console.log(`Node ${process.versions.node}, Chromium ${browser.browser()?.version() ?? ""} (${executable})`)
    console.table([line("Node", node, node), ...visits.flatMap(({ rows }) => rows)])
    return [...nodeFaults(node).map((text) => `Node: ${text}`), ...visits.flatMap(({ wrong }) => wrong), ...unsaid]
  }).pipe(Effect.scoped)

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? undefined : process.argv[at + 1]
}

const executable = Chromium.find()
if (executable === undefined)
  console.log(
    "test:browser: SKIPPED, because there is no Chromium here: install it (apt-get install chromium), or name it in CHROMIUM_PATH"
  )
else {
  const wrong = await Effect.runPromise(program(executable, option("screenshots")))
  for (const text of wrong) console.error(`test:browser: ${text}`)
  console.log(wrong.length === 0 ? "test:browser: OK" : `test:browser: ${wrong.length} failures`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}

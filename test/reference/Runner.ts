/**
 * Replays the reference vectors: finds the files, runs each case through the replay of its area, counts and prints.
 *
 * An area is a file without its ending, "api/injector". To add one: write `replay/<Area>.ts` and name it in `replays`.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { type BackendName, type Case, failed, type Outcome, type Replay, unsupported } from "./Case.ts"
import * as Export from "./replay/Export.ts"
import * as FloatQuant from "./replay/FloatQuant.ts"
import * as Groupwise from "./replay/Groupwise.ts"
import * as Injector from "./replay/Injector.ts"
import * as Layers from "./replay/Layers.ts"
import * as LayersSeq from "./replay/LayersSeq.ts"
import * as LearnedRound from "./replay/LearnedRound.ts"
import * as A2q from "./replay/layers/A2q.ts"
import * as Ops from "./replay/Ops.ts"
import * as Ptq from "./replay/Ptq.ts"
import * as QuantCore from "./replay/QuantCore.ts"
import * as Quantizers from "./replay/Quantizers.ts"
import * as QuantTensors from "./replay/QuantTensors.ts"
import * as Scaling from "./replay/Scaling.ts"
import * as StateDict from "./replay/StateDict.ts"
import * as Stats from "./replay/Stats.ts"
import * as Train from "./replay/Train.ts"
import * as Tutorial from "./replay/Tutorial.ts"
import * as ZeroPoint from "./replay/ZeroPoint.ts"

/** The replay of each area; an area without one counts as unsupported. */
export const replays: Readonly<Record<string, Replay>> = {
  "core/ops_ste": Ops.replay,
  "core/stats": Stats.replay,
  "core/scaling": Scaling.replay,
  "core/zero_point_bit_width": ZeroPoint.replay,
  "core/quant_core": QuantCore.replay,
  "core/float_quant": FloatQuant.replay,
  "core/groupwise_mx": Groupwise.replay,
  "core/learned_and_stochastic": LearnedRound.replay,
  "api/quantizers": Quantizers.replay,
  "api/quantizers_act": Quantizers.replay,
  "api/quantizers_float": Quantizers.replay,
  "api/layers": Layers.replay,
  "api/layers_seq": LayersSeq.replay,
  "api/a2q": A2q.replay,
  "api/quant_tensor": QuantTensors.replay,
  "api/injector": Injector.replay,
  "api/state_dict": StateDict.replay,
  "api/ptq": Ptq.replay,
  "api/train": Train.replay,
  "api/export": Export.replay,
  "api/tutorial": Tutorial.replay
}

export interface Options {
  readonly vectors: string
  readonly area: string | undefined
  readonly backend: BackendName
  readonly json: boolean
}

/** What is wrong with the arguments or the files, in one line. */
export class Refusal extends Error {}

export interface Counts {
  readonly file: string
  readonly passed: number
  readonly failed: number
  readonly unsupported: number
  readonly deviations: number
}

interface Report {
  readonly file: string
  readonly outcomes: ReadonlyArray<{ readonly name: string; readonly outcome: Outcome }>
}

// ---- arguments ----------------------------------------------------------------------------------------------

export const parse = (args: ReadonlyArray<string>): Options => {
  const read = (rest: ReadonlyArray<string>, options: Options): Options => {
    const [head, next, ...more] = rest
    if (head === undefined) return options
    if (head === "--json") return read(rest.slice(1), { ...options, json: true })
    if (head !== "--vectors" && head !== "--area" && head !== "--backend")
      throw new Refusal(`unknown argument "${head}"; known: --vectors DIR, --area AREA, --backend wasm|cpu, --json`)
    if (next === undefined || next.startsWith("--")) throw new Refusal(`${head} needs a value`)
    if (head === "--backend" && next !== "wasm" && next !== "cpu")
      throw new Refusal(`--backend is wasm or cpu, not "${next}"`)
    return read(more, { ...options, [head.slice(2)]: next })
  }
  return read(args, { vectors: join("test", "reference"), area: undefined, backend: "wasm", json: false })
}

// ---- files --------------------------------------------------------------------------------------------------

const sections = ["core", "api"] as const

const listing = async (folder: string): Promise<ReadonlyArray<string>> => {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => /\.json(\.gz)?$/.test(name)).sort()
}

const areaOf = (file: string): string => file.replace(/\.json(\.gz)?$/, "")
const within = (file: string, area: string): boolean => areaOf(file) === areaOf(area) || file.startsWith(`${area}/`)

const filesIn = async ({ vectors, area }: Options): Promise<ReadonlyArray<string>> => {
  await readdir(vectors).catch(() => {
    throw new Refusal(`no folder "${vectors}" to read vectors from`)
  })
  const found = await Promise.all(
    sections.map(async (section) => (await listing(join(vectors, section))).map((name) => `${section}/${name}`))
  )
  const all = found.flat()
  if (all.length === 0) throw new Refusal(`"${vectors}" has no vectors: neither core/*.json nor api/*.json`)
  const chosen = area === undefined ? all : all.filter((file) => within(file, area.replace(/\/$/, "")))
  if (chosen.length === 0)
    throw new Refusal(`no vectors for the area "${area}" in "${vectors}"; there are ${all.map(areaOf).join(", ")}`)
  return chosen
}

const isCase = (u: unknown): u is Case =>
  typeof u === "object" && u !== null && "name" in u && typeof u.name === "string" && "config" in u && "outputs" in u

const casesOf = async (vectors: string, file: string): Promise<ReadonlyArray<Case>> => {
  const path = join(vectors, file)
  const bytes = await readFile(path)
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8")
  const parsed = (): unknown => {
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new Refusal(`${path} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  }
  const content = parsed()
  const cases =
    typeof content === "object" && content !== null && "cases" in content && Array.isArray(content.cases)
      ? content.cases
      : undefined
  if (cases === undefined) throw new Refusal(`${path} has no list "cases"`)
  if (cases.length === 0) throw new Refusal(`${path} has no cases`)
  const wrong = cases.findIndex((u) => !isCase(u))
  if (wrong !== -1) throw new Refusal(`${path}: case ${wrong} lacks "name", "config" or "outputs"`)
  return cases
}

// ---- replaying ----------------------------------------------------------------------------------------------

const outcomeOf = async (replay: Replay | undefined, testCase: Case, backend: BackendName): Promise<Outcome> => {
  if (replay === undefined) return unsupported("nothing replays this area")
  try {
    return await replay(testCase, backend)
  } catch (cause) {
    return failed(`the replay threw ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
  }
}

/** One case after the other: they share the backend of TensorFlow.js. */
const reportOf = async (file: string, cases: ReadonlyArray<Case>, backend: BackendName): Promise<Report> => {
  const area = areaOf(file)
  const replay = Object.hasOwn(replays, area) ? replays[area] : undefined
  const outcomes: Array<{ name: string; outcome: Outcome }> = []
  for (const testCase of cases)
    outcomes.push({ name: testCase.name, outcome: await outcomeOf(replay, testCase, backend) })
  return { file, outcomes }
}

const countsOf = ({ file, outcomes }: Report): Counts => {
  const count = (kind: Outcome["kind"]): number => outcomes.filter(({ outcome }) => outcome.kind === kind).length
  return {
    file,
    passed: count("passed"),
    failed: count("failed"),
    unsupported: count("unsupported"),
    deviations: count("deviation")
  }
}

// ---- printing -----------------------------------------------------------------------------------------------

const columns = ["file", "passed", "failed", "unsupported", "deviations"] as const

const tableOf = (counts: ReadonlyArray<Counts>): string => {
  const rows = [columns, ...counts.map((row) => columns.map((column) => String(row[column])))]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)))
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")
    )
    .join("\n")
}

const linesOf = ({ file, outcomes }: Report): ReadonlyArray<string> => {
  const all = outcomes.flatMap(({ name, outcome }) =>
    outcome.kind === "failed"
      ? [`failed       ${file} ${name}: ${outcome.reason}`]
      : outcome.kind === "deviation"
        ? [`deviation    ${file} ${name}: ${outcome.id}`]
        : outcome.kind === "unsupported"
          ? [`unsupported  ${file} ${name}: ${outcome.reason}`]
          : []
  )
  const silent = outcomes.every(({ outcome }) => outcome.kind === "unsupported")
  return silent ? [`unsupported  ${file}: nothing replays this area`] : all
}

/** The exit status: 0 only if every case passed or deviates on purpose. */
export const main = async (args: ReadonlyArray<string>, print: (line: string) => void): Promise<0 | 1> => {
  const options = parse(args)
  const files = await filesIn(options)
  const read = await Promise.all(files.map(async (file) => ({ file, cases: await casesOf(options.vectors, file) })))
  const reports: Array<Report> = []
  for (const { file, cases } of read) reports.push(await reportOf(file, cases, options.backend))
  const counts = reports.map(countsOf)
  if (options.json) print(JSON.stringify({ files: counts }))
  else for (const line of [...reports.flatMap(linesOf), tableOf(counts)]) print(line)
  return counts.every((row) => row.failed === 0 && row.unsupported === 0) ? 0 : 1
}

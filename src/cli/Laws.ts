/**
 * `breve laws`: which laws a quantizer keeps, one of the catalogue or one out of a file.
 *
 * The laws and fast-check are loaded when the command runs, and only then.
 *
 * Room: cli (level 6). Imports: effect, `inject`, `quant`, `tensor`, its own room, node:path, node:url; laws dynamically.
 */
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Data, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type * as LawsModule from "../../laws/index.ts"
import * as Injector from "../inject/Injector.ts"
import * as Catalogue from "../quant/Catalogue.ts"
import { nearest } from "../tensor/Nearest.ts"
import * as Inspect from "./Inspect.ts"
import * as Progress from "./Progress.ts"
import * as Words from "./Words.ts"

type Laws = typeof LawsModule
type Verdict = LawsModule.Law.Verdict

// ---- errors -------------------------------------------------------------------------------------------------

/** The laws cannot be loaded: fast-check is not installed. */
export class LawsUnavailable extends Data.TaggedError("LawsUnavailable")<{ readonly reason: string }> {
  override get message(): string {
    return `breve laws needs the package fast-check: npm install --save-dev fast-check (${this.reason})`
  }
}

/** A file of quantizers cannot be loaded. */
export class ModuleUnavailable extends Data.TaggedError("ModuleUnavailable")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `cannot load ${this.file}: ${this.reason}; name a JavaScript module and what it exports, such as ./my-quantizer.js#MyQuantizer`
  }
}

/** A file exports no quantizer of that name. */
export class NotExported extends Data.TaggedError("NotExported")<{
  readonly file: string
  readonly wanted: string | undefined
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const near = this.wanted === undefined ? undefined : nearest(this.wanted, this.known)
    const what = this.wanted === undefined ? "does not export one injector alone" : `exports no "${this.wanted}"`
    const hint = near === undefined ? "" : `; did you mean "${near}"?`
    const all = this.known.length === 0 ? "it exports nothing" : `it exports ${this.known.join(", ")}`
    return `${this.file} ${what}${hint} (${all})`
  }
}

/** What a file exports is no injector. */
export class NotAnInjector extends Data.TaggedError("NotAnInjector")<{
  readonly file: string
  readonly name: string
  readonly found: string
}> {
  override get message(): string {
    return `"${this.name}" of ${this.file} is ${this.found}, not an injector; export what Injector.make, let or merge answers, of the same copy of breve as this command`
  }
}

/** Some laws do not hold; the table said which. */
export class LawsBroken extends Data.TaggedError("LawsBroken")<{ readonly quantizer: string; readonly count: number }> {
  override get message(): string {
    return `${this.quantizer} breaks ${this.count} ${this.count === 1 ? "law" : "laws"} that it claims`
  }
}

// ---- what is tried ------------------------------------------------------------------------------------------

const explain = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** The laws with fast-check, which is an optional peer. */
const laws: Effect.Effect<Laws, LawsUnavailable> = Effect.tryPromise({
  try: () => import("../../laws/index.ts"),
  catch: (cause) => new LawsUnavailable({ reason: explain(cause).split("\n")[0] ?? "" })
})

const kindOf = (value: unknown): string =>
  value === null || value === undefined ? String(value) : typeof value === "object" ? "an object" : `a ${typeof value}`

/** The quantizer that a file exports: by its name, or the only one. */
const fromFile = Effect.fn("Laws.fromFile")(function* (file: string, wanted: string | undefined) {
  const exported = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(resolve(file)).href) as Promise<Readonly<Record<string, unknown>>>,
    catch: (cause) => new ModuleUnavailable({ file, reason: explain(cause).split("\n")[0] ?? "" })
  })
  const known = Object.keys(exported)
  const injectors = known.filter((name) => Injector.isInjector(exported[name]))
  const name = wanted ?? (injectors.length === 1 ? injectors[0] : undefined)
  if (name === undefined || !known.includes(name)) return yield* new NotExported({ file, wanted, known })
  const value = exported[name]
  if (!Injector.isInjector(value)) return yield* new NotAnInjector({ file, name, found: kindOf(value) })
  return { name: name === "default" ? value.name : name, injector: value }
})

const isFile = (target: string): boolean => target.includes("#") || /[\\/]|\.[cm]?[jt]s$/.test(target)

/** A quantizer of the catalogue by its name, or of a file: `./my-quantizer.js#MyQuantizer`. */
export const find = Effect.fn("Laws.find")(function* (target: string) {
  if (isFile(target)) {
    const [file = "", name] = target.split("#")
    return yield* fromFile(file, name === "" ? undefined : name)
  }
  const entry = Object.hasOwn(Catalogue.entries, target) ? Catalogue.entries[target] : undefined
  if (entry !== undefined) return { name: target, injector: entry }
  return yield* new Inspect.NotInCatalogue({ what: "quantizer", wanted: target, known: Object.keys(Catalogue.entries) })
})

// ---- what is printed ----------------------------------------------------------------------------------------

/** A quantizer, and what its user calls it. */
interface Named {
  readonly name: string
  readonly injector: Injector.Any
}
interface Row {
  readonly law: LawsModule.Law.Statement<never>
  readonly verdict: Verdict
}

const tried = (
  { TensorQuantizerLaws, GradientLaws }: Laws,
  injector: Injector.Any,
  options: LawsModule.Law.Options
) => {
  const all = [...TensorQuantizerLaws.all, ...GradientLaws.all]
  return Effect.map(TensorQuantizerLaws.verdicts(all, TensorQuantizerLaws.subject(injector), options), (verdicts) =>
    verdicts.map((verdict, i): Row => ({ law: all[i] as LawsModule.Law.Statement<never>, verdict }))
  )
}

const counted = (rows: ReadonlyArray<Row>, kind: Verdict["kind"]): number =>
  rows.filter(({ verdict }) => verdict.kind === kind).length

/** The table: a line for each law, and for a broken one the smallest case found. */
export const table = (
  { Law }: Pick<Laws, "Law">,
  { name, injector }: Named,
  rows: ReadonlyArray<Row>,
  { runs, seed }: Required<Pick<LawsModule.Law.Options, "runs" | "seed">>
): string => {
  const width = Math.max(...rows.map(({ law }) => law.name.length))
  const head = (kind: string, law: string, text: string): string =>
    `  ${kind.padEnd(11)}  ${law.padEnd(width)}  ${text}`.trimEnd()
  const lines = rows.flatMap(({ law, verdict }) => {
    if (verdict.kind === "kept") return [head("kept", law.name, law.states)]
    if (verdict.kind === "not claimed") return [head("not claimed", law.name, verdict.reason)]
    return [head("BROKEN", law.name, ""), ...Law.explained(law, verdict).map((line) => `    ${line}`)]
  })
  const [kept, unclaimed, broken] = (["kept", "not claimed", "broken"] as const).map((kind) => counted(rows, kind))
  return [
    `${name}: ${Words.line(Catalogue.facts(injector))}`,
    "",
    ...lines,
    "",
    `${kept} kept, ${unclaimed} not claimed, ${broken} broken; ${runs} runs of each law, seed ${seed}`
  ].join("\n")
}

const machineReadable = ({ law: { name, states, claimed }, verdict }: Row): unknown => {
  if (verdict.kind !== "broken") return { law: name, states, claimed, ...verdict }
  const { found: _, ...rest } = verdict
  return { law: name, states, claimed, ...rest }
}

// ---- the command --------------------------------------------------------------------------------------------

/** Runs every law of tensor quantizers and their gradients. */
export const command = Command.make(
  "laws",
  {
    target: Argument.withDescription(
      Argument.String("quantizer"),
      "one of the catalogue by its name, or one of yours: ./my-quantizer.js#MyQuantizer"
    ),
    runs: Flag.withDescription(Flag.withDefault(Flag.Int("runs"), 100), "how many cases each law is tried on"),
    seed: Flag.withDescription(Flag.withDefault(Flag.Int("seed"), 0), "the same seed gives the same cases"),
    json: Flag.withDescription(Flag.withDefault(Flag.Boolean("json"), false), "print the verdicts for machines to read")
  },
  ({ target, runs, seed, json }) =>
    Effect.gen(function* () {
      const found = yield* find(target)
      const module = yield* laws
      const options = { runs: Math.max(1, runs), seed }
      const rows = yield* tried(module, found.injector, options)
      yield* Progress.print(
        json
          ? JSON.stringify({ quantizer: found.name, ...options, laws: rows.map(machineReadable) }, null, 2)
          : table(module, found, rows, options)
      )
      const count = counted(rows, "broken")
      if (count > 0) return yield* new LawsBroken({ quantizer: found.name, count })
    })
).pipe(Command.withDescription("Try the laws of quantizers on one of the catalogue, or on one of your own."))

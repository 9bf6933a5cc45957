/**
 * `breve laws`: which laws a quantizer keeps, one of the catalogue or one out of a file.
 *
 * The laws and fast-check are loaded when the command runs, and only then.
 *
 * Room: cli (level 6). Imports: effect, `inject`, `quant`, `tensor`, its own room, node:path, node:url; laws dynamically.
 */
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Data, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type * as LawsModule from "../../laws/index.ts"
import * as Injector from "../inject/Injector.ts"
import * as Catalogue from "../quant/Catalogue.ts"
import { nearest } from "../tensor/Nearest.ts"
import * as Given from "./Given.ts"
import * as Inspect from "./Inspect.ts"
import * as LawsTable from "./LawsTable.ts"
import * as Progress from "./Progress.ts"

type Laws = typeof LawsModule

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
    const what =
      this.wanted === undefined
        ? `does not export one injector alone: name it, as in ${this.file}#NAME`
        : `exports no "${this.wanted}"`
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

/** There is no law of that name. */
export class UnknownLaw extends Data.TaggedError("UnknownLaw")<{
  readonly wanted: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const near = nearest(this.wanted, this.known)
    const hint = near === undefined ? "" : `; did you mean "${near}"?`
    return `there is no law "${this.wanted}"${hint} (the laws are ${this.known.join(", ")})`
  }
}

/** A path leads to a case of one law, which was not named; or there is none such. */
export class InvalidPath extends Data.TaggedError("InvalidPath")<{ readonly path: string; readonly reason: string }> {
  override get message(): string {
    return `--path ${this.path} ${this.reason}; take --law, --seed and --path as they are printed beside a broken law`
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

// ---- the command --------------------------------------------------------------------------------------------

const chosen = Effect.fn("Laws.chosen")(function* (
  { TensorQuantizerLaws, GradientLaws }: Laws,
  wanted: Option.Option<string>
) {
  const all = [...TensorQuantizerLaws.all, ...GradientLaws.all]
  if (Option.isNone(wanted)) return all
  const named = all.filter(({ name }) => name === wanted.value)
  if (named.length > 0) return named
  return yield* new UnknownLaw({ wanted: wanted.value, known: all.map(({ name }) => name) })
})

const optionsOf = Effect.fn("Laws.optionsOf")(function* (flags: {
  readonly runs: number
  readonly seed: number
  readonly law: Option.Option<string>
  readonly path: Option.Option<string>
}) {
  const { runs, seed, law } = flags
  const path = Option.getOrUndefined(flags.path)
  if (path !== undefined && Option.isNone(law))
    return yield* new InvalidPath({ path, reason: "is a case of one law, and --law names none" })
  if (path !== undefined && !/^\d+(:\d+)*$/.test(path))
    return yield* new InvalidPath({ path, reason: "is no path: that is numbers with colons between them" })
  return { runs: path === undefined ? Math.max(1, runs) : 1, seed, path }
})

/** Runs every law of tensor quantizers and their gradients, or one of them. */
export const command = Command.make(
  "laws",
  {
    target: Argument.withDescription(
      Argument.String("quantizer"),
      "one of the catalogue by its name, or one of yours: ./my-quantizer.js#MyQuantizer"
    ),
    given: Given.flag,
    law: Flag.withDescription(Flag.optional(Flag.String("law")), "try the law of this name only"),
    runs: Flag.withDescription(Flag.withDefault(Flag.Int("runs"), 100), "how many cases each law is tried on"),
    seed: Flag.withDescription(Flag.withDefault(Flag.Int("seed"), 0), "the same seed gives the same cases"),
    path: Flag.withDescription(Flag.optional(Flag.String("path")), "with --law and --seed: this one case, as printed"),
    json: Flag.withDescription(Flag.withDefault(Flag.Boolean("json"), false), "print the verdicts for machines to read")
  },
  ({ target, given: texts, json, ...flags }) =>
    Effect.gen(function* () {
      const options = yield* optionsOf(flags)
      const { name, injector } = yield* find(target)
      const given = yield* Given.read(name, injector, texts)
      const module = yield* laws
      const chosenLaws = yield* chosen(module, flags.law)
      const { verdicts, subject: subjectOf } = module.TensorQuantizerLaws
      const subject = subjectOf(injector, { given })
      const found = yield* Effect.catchTag(verdicts(chosenLaws, subject, options), "MissingDependency", (error) =>
        Effect.fail(Given.missing(name)(error))
      )
      const rows = found.map((verdict, i): LawsTable.Row => ({ law: chosenLaws[i] as LawsTable.Row["law"], verdict }))
      const words = [target, ...Object.entries(texts).flatMap(([key, text]) => ["--given", `${key}=${text}`])]
      const named = { name, words: words.map(LawsTable.quoted).join(" ") }
      yield* Progress.print(
        json
          ? JSON.stringify({ quantizer: name, given, ...options, laws: rows.map(LawsTable.machineReadable) }, null, 2)
          : LawsTable.table(module.Law, named, subject.promised.facts, rows, options)
      )
      const count = LawsTable.counted(rows, "broken")
      if (count > 0) return yield* new LawsBroken({ quantizer: name, count })
    })
).pipe(Command.withDescription("Try the laws of quantizers on one of the catalogue, or on one of your own."))

/**
 * `breve inspect`: the catalogue by family, or one quantizer with its facts and its wiring.
 *
 * Room: cli (level 6). Imports: effect, `backend`, `inject`, `quant`, its own room.
 */
import { Data, Effect, Option, Terminal } from "effect"
import { Argument, Command, Flag, TerminalCapabilities } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as Injector from "../inject/Injector.ts"
import * as Catalogue from "../quant/Catalogue.ts"
import { nearest } from "../tensor/Nearest.ts"
import * as Measure from "./Measure.ts"
import * as Progress from "./Progress.ts"
import * as Words from "./Words.ts"

/** No entry or family of the catalogue has this name. */
export class NotInCatalogue extends Data.TaggedError("NotInCatalogue")<{
  readonly what: "quantizer" | "family"
  readonly wanted: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const wanted = this.wanted.toLowerCase()
    const near = nearest(this.wanted, this.known) ?? this.known.find((name) => name.toLowerCase().includes(wanted))
    const all = this.what === "family" ? `the families are ${this.known.join(", ")}` : '"breve inspect" lists them all'
    return `unknown ${this.what} "${this.wanted}"${near === undefined ? "" : `; did you mean "${near}"?`} (${all})`
  }
}

// ---- text ---------------------------------------------------------------------------------------------------

type Families = Readonly<Record<string, Readonly<Record<string, Injector.Any>>>>

/** The entries of each family, a line each, at most `columns` wide. */
export const listing = (families: Families, columns: number): string => {
  const width = Math.max(0, ...Object.values(families).flatMap((entries) => Object.keys(entries).map((n) => n.length)))
  const fitted = (text: string): string =>
    text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
  return Object.entries(families)
    .map(([family, entries]) =>
      [
        family,
        ...Object.entries(entries).map(([name, entry]) =>
          fitted(`  ${name.padEnd(width)}  ${Words.line(Catalogue.facts(entry))}`)
        )
      ].join("\n")
    )
    .join("\n\n")
}

/** One entry: what it is, its facts, its wiring. */
export const page = (entry: Injector.Any, measured: Measure.Measured | undefined, file: string): string => {
  const facts = Catalogue.facts(entry)
  const lines = Words.rows(facts, measured, file).map(([title, text]) => `  ${title.padEnd(10)}  ${text}`)
  const findings = Injector.diagnose(entry, ["tensorQuant"]).filter(
    ({ kind }) => kind !== "unused" && kind !== "missing"
  )
  const problems = findings.map(({ message }) => `  problem     ${message}`)
  return [
    `${entry.name}: ${Words.line(facts)}`,
    "",
    ...lines,
    ...problems,
    "",
    Injector.tree(entry, ["tensorQuant"])
  ].join("\n")
}

// ---- the command --------------------------------------------------------------------------------------------

const familiesOf = (wanted: Option.Option<string>): Effect.Effect<Families, NotInCatalogue> =>
  Option.match(wanted, {
    onNone: () => Effect.succeed(Catalogue.families),
    onSome: (family) => {
      const known = Object.keys(Catalogue.families)
      const name = known.find((each) => each.toLowerCase() === family.toLowerCase())
      const entries = name === undefined ? undefined : Catalogue.families[name]
      return name === undefined || entries === undefined
        ? Effect.fail(new NotInCatalogue({ what: "family", wanted: family, known }))
        : Effect.succeed({ [name]: entries })
    }
  })

const fileOf = (name: string): string => {
  const family = Catalogue.familyOf(name)
  return family === undefined ? "–" : Catalogue.fileOf(family)
}

const machineReadable = (name: string, entry: Injector.Any, measured: Measure.Measured | undefined): unknown => ({
  family: Catalogue.familyOf(name),
  ...Catalogue.facts(entry),
  description: Words.line(Catalogue.facts(entry)),
  learned: measured?.learned,
  running: measured?.running,
  outside: measured?.outside,
  file: fileOf(name)
})

const asJson = (found: ReadonlyArray<readonly [string, Injector.Any]>) =>
  Effect.map(
    Effect.forEach(found, ([name, entry]) =>
      Effect.map(Measure.measure(entry), (measured) => machineReadable(name, entry, measured))
    ),
    (all) => JSON.stringify(all, (_, value) => value ?? null, 2)
  )

/** Lists the catalogue, or shows one entry of it. */
export const command = Command.make(
  "inspect",
  {
    name: Argument.withDescription(Argument.optional(Argument.String("name")), "a quantizer of the catalogue"),
    family: Flag.withDescription(Flag.optional(Flag.String("family")), "list the quantizers of one family only"),
    json: Flag.withDescription(Flag.withDefault(Flag.Boolean("json"), false), "print the facts for machines to read")
  },
  ({ name, family, json }) =>
    Effect.gen(function* () {
      const families = yield* familiesOf(family)
      if (Option.isNone(name)) {
        const all = Object.values(families).flatMap((entries) => Object.entries(entries))
        if (json) return yield* Progress.print(yield* Effect.provide(asJson(all), Backend.layer))
        const terminal = yield* Terminal.Terminal
        const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
        return yield* Progress.print(listing(families, canAnimate ? yield* terminal.columns : Number.POSITIVE_INFINITY))
      }
      const entry = Object.hasOwn(Catalogue.entries, name.value) ? Catalogue.entries[name.value] : undefined
      if (entry === undefined)
        return yield* new NotInCatalogue({
          what: "quantizer",
          wanted: name.value,
          known: Object.keys(Catalogue.entries)
        })
      const text = json
        ? asJson([[name.value, entry]])
        : Effect.map(Measure.measure(entry), (measured) => page(entry, measured, fileOf(name.value)))
      yield* Progress.print(yield* Effect.provide(text, Backend.layer))
    })
).pipe(Command.withDescription("Show a quantizer of the catalogue with its facts and its wiring, or list them all."))

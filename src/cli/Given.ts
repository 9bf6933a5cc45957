/**
 * `--given name=value`: what a quantizer's declaration leaves open, as words of a command line.
 *
 * A value is read as JSON (a number, true, null, a list) and is itself where it is none, so that `scalingImplType=stats` needs no quotes.
 *
 * Room: cli (level 6). Imports: effect, `inject`, `tensor`.
 */
import { Data, Effect, Option, Result } from "effect"
import { Flag } from "effect/cli"
import * as Injector from "../inject/Injector.ts"
import { nearest } from "../tensor/Nearest.ts"
import type { MissingDependency } from "../tensor/WiringErrors.ts"

/** Attributes by name. */
export type Given = Readonly<Record<string, unknown>>

// ---- errors -------------------------------------------------------------------------------------------------

/** A quantizer asks for an attribute that nothing tells. */
export class MissingGiven extends Data.TaggedError("MissingGiven")<{
  readonly quantizer: string
  readonly attribute: string
  /** who asked, from the quantizer down */
  readonly path: ReadonlyArray<string>
}> {
  override get message(): string {
    const asked = this.path.length === 0 ? "" : ` (needed by ${this.path.join(" > ")})`
    return `${this.quantizer} leaves "${this.attribute}" open${asked}; add --given ${this.attribute}=VALUE`
  }
}

/** Something is given that the quantizer does not look at. */
export class UnknownGiven extends Data.TaggedError("UnknownGiven")<{
  readonly quantizer: string
  readonly wanted: string
  /** what may be given */
  readonly known: ReadonlyArray<string>
  /** what the declaration leaves open */
  readonly open: ReadonlyArray<string>
}> {
  override get message(): string {
    const near = nearest(this.wanted, this.known)
    const open = this.open.length === 0 ? "nothing" : this.open.join(", ")
    return `${this.quantizer} does not look at "${this.wanted}"${near === undefined ? "" : `; did you mean "${near}"?`} (it leaves open ${open})`
  }
}

// ---- reading ------------------------------------------------------------------------------------------------

/** The flag: as often as one likes. */
export const flag: Flag.Flag<Readonly<Record<string, string>>> = Flag.KeyValuePair("given").pipe(
  Flag.optional,
  Flag.map(Option.getOrElse((): Record<string, string> => ({}))),
  Flag.withDescription("what the declaration leaves open, such as bitWidth=4; values are JSON, or else text")
)

const asValue = (text: string): unknown =>
  Result.getOrElse(
    Result.try((): unknown => JSON.parse(text)),
    () => text
  )

/** What a quantizer or one of its branches misses; the layer is an example's. */
const openIn = (injector: Injector.Any): ReadonlyArray<string> => {
  const missing = Injector.diagnose(injector, ["tensorQuant"]).filter(({ kind }) => kind === "missing")
  return [...new Set(missing.map(({ name }) => name))].filter((name) => name !== "module")
}

/** What was given, as values; each must be something that the quantizer looks at. */
export const read = Effect.fn("Given.read")(function* (
  quantizer: string,
  injector: Injector.Any,
  texts: Readonly<Record<string, string>>
) {
  const open = openIn(injector)
  const known = [...open, ...Object.keys(injector.table)]
  const wanted = Object.keys(texts).find((name) => !known.includes(name))
  if (wanted !== undefined) return yield* new UnknownGiven({ quantizer, wanted, known, open })
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, asValue(text)])) as Given
})

/** What a resolution misses, as the flag that gives it. */
export const missing = (quantizer: string) => (error: MissingDependency) =>
  new MissingGiven({ quantizer, attribute: error.attribute, path: error.path })

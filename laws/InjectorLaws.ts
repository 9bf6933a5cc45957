/**
 * The laws of wiring: how injectors combine, and on what the outcome of a resolution may depend.
 *
 * Injectors are made from small tables over six names (`./InjectorTable.ts`).
 *
 * Room: laws. Imports: fast-check, effect, `inject`, its own room.
 */
import { Effect, Equal, Result } from "effect"
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"
import type { ResolutionError } from "../src/tensor/WiringErrors.ts"
import { attributesOf, injectorOf, name, names, type Part, reading, renamed, table } from "./InjectorTable.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about: a way to combine injectors and to resolve them. */
export interface Wiring {
  readonly empty: Injector.Any
  readonly merge: (a: Injector.Any, b: Injector.Any) => Injector.Any
  readonly let: (a: Injector.Any, attributes: Injector.Attributes) => Injector.Any
  readonly resolve: (a: Injector.Any, name: string) => Effect.Effect<unknown, ResolutionError>
}

/** breve's own. */
export const wiring: Wiring = {
  empty: Injector.empty,
  merge: (a, b) => Injector.merge(a, b),
  let: (a, attributes) => Injector.let(a, attributes),
  resolve: (a, name) => Effect.scoped(Effect.map(Injector.resolveUnknown(a, [name]), (found) => found[name]))
}

// ---- checks -------------------------------------------------------------------------------------------------

type Seen =
  | { readonly value: unknown }
  | { readonly error: string; readonly path: ReadonlyArray<string>; readonly attribute: string | undefined }

const outcome = (subject: Wiring, injector: Injector.Any, at: string): Seen => {
  const result = Effect.runSync(Effect.result(subject.resolve(injector, at)))
  if (Result.isSuccess(result)) return { value: result.success }
  const { _tag, path } = result.failure
  return { error: _tag, path, attribute: "attribute" in result.failure ? result.failure.attribute : undefined }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const renamedValue = (v: unknown, to: (n: string) => string): unknown => {
  if (Array.isArray(v)) return v.map((item) => renamedValue(item, to))
  if (typeof v !== "object" || v === null) return v
  if ("given" in v && typeof v.given === "object" && v.given !== null) {
    const given = Object.entries(v.given).map(([n, item]) => [to(n), renamedValue(item, to)])
    return { ...v, given: Object.fromEntries(given) }
  }
  return "args" in v ? { ...v, args: renamedValue(v.args, to) } : v
}

const renamedOutcome = (seen: Seen, to: (n: string) => string): Seen =>
  "value" in seen
    ? { value: renamedValue(seen.value, to) }
    : { ...seen, path: seen.path.map(to), attribute: seen.attribute === undefined ? undefined : to(seen.attribute) }

// ---- laws ---------------------------------------------------------------------------------------------------

/** Combining three injectors, it does not matter which two come together first. */
export const associative: Law.Law<Wiring> = Law.forAll(
  { name: "merge is associative", states: "(a & b) & c = a & (b & c)" },
  { a: table, b: table, c: table, n: name },
  (subject, { n, ...tables }) => {
    const [a, b, c] = [injectorOf(tables.a), injectorOf(tables.b), injectorOf(tables.c)]
    const left = subject.merge(subject.merge(a, b), c)
    const right = subject.merge(a, subject.merge(b, c))
    return Equal.equals(left, right) && same(outcome(subject, left, n), outcome(subject, right, n))
  }
)

/** The injector without attributes changes nothing. */
export const identity: Law.Law<Wiring> = Law.forAll(
  { name: "empty is the identity of merge", states: "a & empty = a = empty & a" },
  { a: table },
  (subject, tables) => {
    const a = injectorOf(tables.a)
    return Equal.equals(subject.merge(a, subject.empty), a) && Equal.equals(subject.merge(subject.empty, a), a)
  }
)

/** Overriding is merging with a right-hand side; the last override wins. */
export const overriding: Law.Law<Wiring> = Law.forAll(
  {
    name: "let merges, and the last wins",
    states: "a.let(x) = a & make(x), a.let(x).let(y) = a.let({...x, ...y}), a.let(x).let(x) = a.let(x), a.let({}) = a"
  },
  { a: table, x: table, y: table },
  (subject, tables) => {
    const [a, x, y] = [injectorOf(tables.a), attributesOf(tables.x), attributesOf(tables.y)]
    const once = subject.let(a, x)
    return (
      Equal.equals(once, Injector.merge(a, Injector.make(x))) &&
      Equal.equals(subject.let(once, y), subject.let(a, { ...x, ...y })) &&
      Equal.equals(subject.let(once, x), once) &&
      Equal.equals(subject.let(a, {}), a)
    )
  }
)

/** Laziness and irrelevance in one; an absent name that has a default counts as looked at. */
export const cone: Law.Law<Wiring> = Law.forAll(
  {
    name: "the outcome depends on the names looked at only",
    states:
      "names(b) and cone(a, n) disjoint => resolve(a & b, n) = resolve(a, n), and a resolution succeeds iff reading it does"
  },
  { a: table, n: name },
  (subject, { a, n }) => {
    const { succeeds, cone: looked } = reading(a, n)
    const alone = outcome(subject, injectorOf(a), n)
    if ("value" in alone !== succeeds) return succeeds ? "it can be read, but fails" : "it cannot be read, but succeeds"
    if (!succeeds) return true
    const bomb: Part = { kind: "part", id: 0, needs: ["absent"], may: [], fails: true }
    const others = Object.fromEntries(names.filter((other) => !looked.has(other)).map((other) => [other, bomb]))
    return same(outcome(subject, injectorOf({ ...a, ...others }), n), alone)
  }
)

/** However many parts need an attribute, one resolution builds it at most once. */
export const once: Law.Law<Wiring> = Law.forAll(
  { name: "once per resolution", states: "built(resolve(a, n)) has no repetition, and lies in cone(a, n)" },
  { a: table, n: name },
  (subject, { a, n }) => {
    const built: Array<string> = []
    const seen = outcome(
      subject,
      injectorOf(a, (at) => built.push(at)),
      n
    )
    const looked = reading(a, n).cone
    const strangers = "error" in seen ? [] : built.filter((at) => !looked.has(at.replace("()", "")))
    const twice = built.filter((at, i) => built.indexOf(at) < i)
    if (twice.length > 0) return `built more than once: ${twice.join(", ")}`
    return strangers.length === 0 || `built, but not looked at: ${strangers.join(", ")}`
  }
)

/** Names are names: nothing but their being the same or not counts, in values, errors and paths alike. */
export const renaming: Law.Law<Wiring> = Law.forAll(
  { name: "renaming commutes", states: "resolve(rename(a), rename(n)) = rename(resolve(a, n))" },
  { a: table, n: name, order: fc.shuffledSubarray([...names], { minLength: 6, maxLength: 6 }) },
  (subject, { a, n, order }) => {
    const to = (x: string): string => order[(names as ReadonlyArray<string>).indexOf(x)] ?? x
    const there = outcome(subject, injectorOf(renamed(a, to)), to(n))
    return same(there, renamedOutcome(outcome(subject, injectorOf(a), n), to))
  }
)

/** Every law of wiring. */
export const all: ReadonlyArray<Law.Law<Wiring>> = [associative, identity, overriding, cone, once, renaming]

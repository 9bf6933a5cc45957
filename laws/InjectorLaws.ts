/**
 * The laws of wiring: how injectors combine, and on what the outcome of a resolution may depend.
 *
 * Injectors are made from small tables over six names; what a resolution should look at comes from a reading of the table
 * that knows nothing of plans and slots (`reading`).
 *
 * Room: laws. Imports: fast-check, effect, `inject`.
 */
import { Effect, Equal, Result } from "effect"
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"
import type { ResolutionError } from "../src/tensor/Errors.ts"
import type { Law } from "./Law.ts"

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

// ---- tables: small descriptions of injectors ----------------------------------------------------------------

interface Part {
  readonly kind: "part"
  readonly id: number
  readonly needs: ReadonlyArray<string>
  readonly may: ReadonlyArray<string>
  readonly fails: boolean
}
interface LinkTo {
  readonly kind: "link"
  readonly to: string
}
interface Plain {
  readonly kind: "plain"
  readonly n: number
}
interface Solved {
  readonly kind: "solved"
  readonly needs: ReadonlyArray<string>
  readonly answer: Plain | Part | LinkTo
}
interface Branch {
  readonly kind: "branch"
  readonly on: string
  readonly cases: ReadonlyArray<Plain | Part | LinkTo>
}
type Entry = Part | LinkTo | Plain | Solved | Branch
type Table = Readonly<Record<string, Entry>>

const names = ["a", "b", "c", "d", "e", "f"] as const
const name = fc.constantFrom<string>(...names)
const some = fc.uniqueArray(name, { maxLength: 3 })
const plain = fc.record({ kind: fc.constant("plain" as const), n: fc.nat(2) })
const linkTo = fc.record({ kind: fc.constant("link" as const), to: name })
const part = fc
  .record({ kind: fc.constant("part" as const), id: fc.nat(99), needs: some, may: some, fails: fc.boolean() })
  .map((p) => ({ ...p, may: p.may.filter((n) => !p.needs.includes(n)), fails: p.fails && p.id < 20 }))
const answer = fc.oneof(plain, part, linkTo)
const entry: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 4, arbitrary: plain },
  { weight: 4, arbitrary: part },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("solved" as const), needs: some, answer }) },
  { weight: 1, arbitrary: linkTo },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("branch" as const),
      on: name,
      cases: fc.array(answer, { minLength: 3, maxLength: 3 })
    })
  }
)
const table: fc.Arbitrary<Table> = fc.dictionary(name, entry, { maxKeys: 6 })

/** The attributes of a table; `built` is told each part that is built and each function that is called. */
const attributesOf = (t: Table, built: (at: string) => void = () => {}): Record<string, unknown> => {
  const bind = (at: string, e: Entry): unknown => {
    switch (e.kind) {
      case "plain":
        return e.n
      case "link":
        return Injector.link(e.to)
      case "branch":
        return Injector.choose(e.on, Object.fromEntries(e.cases.map((c, i) => [String(i), bind(at, c)])))
      case "solved":
        return Injector.value(e.needs, (...args: ReadonlyArray<unknown>) => {
          built(`${at}()`)
          return e.answer.kind === "plain" ? { solved: e.answer.n, args } : bind(at, e.answer)
        })
      case "part": {
        const needs = e.needs.map((n) => [n, Injector.required()])
        const may = e.may.map((n) => [n, Injector.optional("default")])
        return Injector.component(`Part${e.id}`, Object.fromEntries([...needs, ...may]), (given) => {
          built(at)
          if (e.fails) throw new Error(`Part${e.id} fails`)
          return { part: e.id, given }
        })
      }
    }
  }
  return Object.fromEntries(Object.entries(t).map(([at, e]) => [at, bind(at, e)]))
}

const injectorOf = (t: Table, built?: (at: string) => void): Injector.Any => Injector.make(attributesOf(t, built))

type Seen =
  | { readonly value: unknown }
  | { readonly error: string; readonly path: ReadonlyArray<string>; readonly attribute: string | undefined }

const outcome = (subject: Wiring, injector: Injector.Any, at: string): Seen => {
  const result = Effect.runSync(Effect.result(subject.resolve(injector, at)))
  if (Result.isSuccess(result)) return { value: result.success }
  const { _tag, path } = result.failure
  return { error: _tag, path, attribute: "attribute" in result.failure ? result.failure.attribute : undefined }
}

/** Whether `at` can be built, and every name that is looked at on the way, present or not: plain recursion over the table. */
const reading = (t: Table, at: string): { readonly succeeds: boolean; readonly cone: ReadonlySet<string> } => {
  const cone = new Set<string>()
  const done = new Map<string, unknown>()
  const open = new Set<string>()
  const fails = Symbol("fails")
  const all = (list: ReadonlyArray<string>): boolean => list.every((n) => look(n) !== fails)
  const read = (e: Entry): unknown => {
    switch (e.kind) {
      case "plain":
        return e.n
      case "link":
        return look(e.to)
      case "solved":
        return !all(e.needs) ? fails : e.answer.kind === "plain" ? {} : read(e.answer)
      case "branch": {
        const flag = look(e.on)
        const chosen = typeof flag === "number" ? e.cases[flag] : undefined
        return chosen === undefined ? fails : read(chosen)
      }
      case "part": {
        for (const n of e.may) cone.add(n)
        return all(e.needs) && all(e.may.filter((n) => Object.hasOwn(t, n))) && !e.fails ? {} : fails
      }
    }
  }
  const look = (n: string): unknown => {
    cone.add(n)
    const e = Object.hasOwn(t, n) ? t[n] : undefined
    if (done.has(n)) return done.get(n)
    if (open.has(n) || e === undefined) return fails
    open.add(n)
    const found = read(e)
    open.delete(n)
    done.set(n, found)
    return found
  }
  return { succeeds: look(at) !== fails, cone }
}

// ---- checks -------------------------------------------------------------------------------------------------

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const renamed = (t: Table, to: (n: string) => string): Table => {
  const on = <E extends Entry>(e: E): E => {
    const renaming: Record<Entry["kind"], (x: Entry) => Entry> = {
      plain: (x) => x,
      link: (x) => (x.kind === "link" ? { ...x, to: to(x.to) } : x),
      part: (x) => (x.kind === "part" ? { ...x, needs: x.needs.map(to), may: x.may.map(to) } : x),
      solved: (x) => (x.kind === "solved" ? { ...x, needs: x.needs.map(to), answer: on(x.answer) } : x),
      branch: (x) => (x.kind === "branch" ? { ...x, on: to(x.on), cases: x.cases.map(on) } : x)
    }
    return renaming[e.kind](e) as E
  }
  return Object.fromEntries(Object.entries(t).map(([n, e]) => [to(n), on(e)]))
}

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

const holds = <T extends [unknown, ...Array<unknown>]>(
  property: fc.IPropertyWithHooks<T>,
  options: fc.Parameters<unknown> | undefined
): void => fc.assert(property, options as fc.Parameters<T>)

// ---- laws ---------------------------------------------------------------------------------------------------

/** Combining three injectors, it does not matter which two come together first. */
export const associative: Law<Wiring> = {
  name: "merge is associative",
  states: "(a & b) & c = a & (b & c)",
  check: (subject, options) =>
    holds(
      fc.property(table, table, table, name, (x, y, z, n) => {
        const [a, b, c] = [injectorOf(x), injectorOf(y), injectorOf(z)]
        const left = subject.merge(subject.merge(a, b), c)
        const right = subject.merge(a, subject.merge(b, c))
        return Equal.equals(left, right) && same(outcome(subject, left, n), outcome(subject, right, n))
      }),
      options
    )
}

/** The injector without attributes changes nothing. */
export const identity: Law<Wiring> = {
  name: "empty is the identity of merge",
  states: "a & empty = a = empty & a",
  check: (subject, options) =>
    holds(
      fc.property(table, (x) => {
        const a = injectorOf(x)
        return Equal.equals(subject.merge(a, subject.empty), a) && Equal.equals(subject.merge(subject.empty, a), a)
      }),
      options
    )
}

/** Overriding is merging with a right-hand side; the last override wins. */
export const overriding: Law<Wiring> = {
  name: "let merges, and the last wins",
  states: "a.let(x) = a & make(x), a.let(x).let(y) = a.let({...x, ...y}), a.let(x).let(x) = a.let(x), a.let({}) = a",
  check: (subject, options) =>
    holds(
      fc.property(table, table, table, (t, u, v) => {
        const [a, x, y] = [injectorOf(t), attributesOf(u), attributesOf(v)]
        const once = subject.let(a, x)
        return (
          Equal.equals(once, Injector.merge(a, Injector.make(x))) &&
          Equal.equals(subject.let(once, y), subject.let(a, { ...x, ...y })) &&
          Equal.equals(subject.let(once, x), once) &&
          Equal.equals(subject.let(a, {}), a)
        )
      }),
      options
    )
}

/** Laziness and irrelevance in one; an absent name that has a default counts as looked at. */
export const cone: Law<Wiring> = {
  name: "the outcome depends on the names looked at only",
  states:
    "names(b) and cone(a, n) disjoint => resolve(a & b, n) = resolve(a, n), and a resolution succeeds iff reading it does",
  check: (subject, options) =>
    holds(
      fc.property(table, name, (t, n) => {
        const { succeeds, cone: looked } = reading(t, n)
        const alone = outcome(subject, injectorOf(t), n)
        if ("value" in alone !== succeeds) return false
        if (!succeeds) return true
        const bomb: Part = { kind: "part", id: 0, needs: ["absent"], may: [], fails: true }
        const others = Object.fromEntries(names.filter((other) => !looked.has(other)).map((other) => [other, bomb]))
        return same(outcome(subject, injectorOf({ ...t, ...others }), n), alone)
      }),
      options
    )
}

/** However many parts need an attribute, one resolution builds it at most once. */
export const once: Law<Wiring> = {
  name: "once per resolution",
  states: "built(resolve(a, n)) has no repetition, and lies in cone(a, n)",
  check: (subject, options) =>
    holds(
      fc.property(table, name, (t, n) => {
        const built: Array<string> = []
        const injector = injectorOf(t, (at) => built.push(at))
        const seen = outcome(subject, injector, n)
        const looked = reading(t, n).cone
        return (
          new Set(built).size === built.length &&
          ("error" in seen || built.every((at) => looked.has(at.replace("()", ""))))
        )
      }),
      options
    )
}

/** Names are names: nothing but their being the same or not counts, in values, errors and paths alike. */
export const renaming: Law<Wiring> = {
  name: "renaming commutes",
  states: "resolve(rename(a), rename(n)) = rename(resolve(a, n))",
  check: (subject, options) =>
    holds(
      fc.property(table, name, fc.shuffledSubarray([...names], { minLength: 6, maxLength: 6 }), (t, n, order) => {
        const to = (x: string): string => order[(names as ReadonlyArray<string>).indexOf(x)] ?? x
        const there = outcome(subject, injectorOf(renamed(t, to)), to(n))
        return same(there, renamedOutcome(outcome(subject, injectorOf(t), n), to))
      }),
      options
    )
}

/** Every law of wiring. */
export const all: ReadonlyArray<Law<Wiring>> = [associative, identity, overriding, cone, once, renaming]

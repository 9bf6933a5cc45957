/**
 * Injectors from tables whose parts are built in several ways and may have to be released, and what a table says a name is.
 *
 * Room: laws. Imports: fast-check, effect, `inject`, its own room.
 */
import { Effect } from "effect"
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"
import { type Entry, names, type Part, type Table, table } from "./InjectorTable.ts"

// ---- injectors ----------------------------------------------------------------------------------------------

/** How a part is built. */
export type Way = "sync" | "effect" | "waiting" | "scoped" | "acquired"
export const ways: ReadonlyArray<Way> = ["sync", "effect", "waiting", "scoped", "acquired"]

/** What happens to parts, in order. */
export interface Log {
  readonly built: Array<object>
  readonly released: Array<object>
  /** the part at which the resolution stops for ever, counted from 0; absent: none */
  readonly stopsAt?: number
}

export const log = (stopsAt?: number): Log => ({ built: [], released: [], ...(stopsAt !== undefined && { stopsAt }) })

export const wait = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** The attributes of a table whose parts are built by the way of their name. */
const attributesOf = (t: Table, wayOf: (at: string) => Way, { built, released, stopsAt }: Log) => {
  const bind = (at: string, e: Entry): unknown => {
    if (e.kind === "plain") return e.n
    if (e.kind === "link") return Injector.link(e.to)
    if (e.kind === "branch")
      return Injector.choose(e.on, Object.fromEntries(e.cases.map((c, i) => [String(i), bind(at, c)])))
    if (e.kind === "solved") {
      const answer = (...args: ReadonlyArray<unknown>): unknown =>
        e.answer.kind === "plain" ? { solved: e.answer.n, args } : bind(at, e.answer)
      if (wayOf(at) === "sync" || wayOf(at) === "scoped") return Injector.value(e.needs, answer)
      return Injector.valueEffect(e.needs, (...args: ReadonlyArray<unknown>) => Effect.sync(() => answer(...args)))
    }
    const dependencies = Object.fromEntries([
      ...e.needs.map((n) => [n, Injector.required()] as const),
      ...e.may.map((n) => [n, Injector.optional("default")] as const)
    ])
    const make = (given: object): object => {
      if (e.fails) throw new Error(`Part${e.id} fails`)
      const part = { part: e.id, given }
      return part
    }
    const acquire = (given: object): object => {
      const part = make(given)
      built.push(part)
      return part
    }
    const release = (part: object): void => void released.push(part)
    const label = `Part${e.id}`
    switch (wayOf(at)) {
      case "sync":
        return Injector.component(label, dependencies, make)
      case "effect":
        return Injector.componentEffect(label, dependencies, (given) => Effect.sync(() => make(given)))
      case "waiting":
        return Injector.componentEffect(label, dependencies, (given) =>
          Effect.andThen(
            wait,
            Effect.suspend(() => (built.length === stopsAt ? Effect.never : Effect.sync(() => make(given))))
          )
        )
      case "scoped":
        return Injector.componentScoped(label, dependencies, acquire, release)
      case "acquired":
        return Injector.componentEffect(label, dependencies, (given) =>
          Effect.acquireRelease(
            Effect.sync(() => acquire(given)),
            (part) => Effect.sync(() => release(part))
          )
        )
    }
  }
  return Object.fromEntries(Object.entries(t).map(([at, e]) => [at, bind(at, e)]))
}

export const injectorOf = (t: Table, wayOf: (at: string) => Way, events: Log = log()): Injector.Any =>
  Injector.make(attributesOf(t, wayOf, events))

/** Parts that do not throw: of an Effect that dies, no value is claimed. */
export const sound = (t: Table): Table => {
  const mended = <E extends Entry>(e: E): E => {
    if (e.kind === "part") return { ...e, fails: false }
    if (e.kind === "solved") return { ...e, answer: mended(e.answer) }
    if (e.kind === "branch") return { ...e, cases: e.cases.map(mended) }
    return e
  }
  return Object.fromEntries(Object.entries(t).map(([at, e]) => [at, mended(e)]))
}

/** A part that may look at a name that is nowhere. */
const partOf = (id: number, needs: fc.Arbitrary<Array<string>>): fc.Arbitrary<Part> =>
  fc.record({
    kind: fc.constant("part" as const),
    id: fc.constant(id),
    needs,
    may: fc.subarray(["absent"]),
    fails: fc.nat(9).map((chance) => chance === 0)
  })

/** A part, a function that answers one, or a link, whose names are among these. */
const entryOf = (id: number, among: ReadonlyArray<string>): fc.Arbitrary<Entry> => {
  const needs = fc.subarray([...among], { maxLength: Math.min(3, among.length) })
  const solved = fc.record({ kind: fc.constant("solved" as const), needs, answer: partOf(id, needs) })
  const links: ReadonlyArray<fc.Arbitrary<Entry>> =
    among.length === 0 ? [] : [fc.record({ kind: fc.constant("link" as const), to: fc.constantFrom(...among) })]
  return fc.oneof<Array<fc.Arbitrary<Entry>>>(partOf(id, needs), solved, ...links)
}

/** Mostly functions that need nothing, so that what they answer, and where it leads, shows only when they are called. */
const knotted = (id: number): fc.Arbitrary<Entry> => {
  const needs = fc.subarray([...names], { minLength: 1, maxLength: 2 })
  const link = fc.record({ kind: fc.constant("link" as const), to: fc.constantFrom(...names) })
  const answer = fc.oneof(partOf(id, needs), link)
  const solved = fc.record({ kind: fc.constant("solved" as const), needs: fc.constant([]), answer })
  return fc.oneof<Array<fc.MaybeWeightedArbitrary<Entry>>>(
    { weight: 4, arbitrary: solved },
    { weight: 1, arbitrary: partOf(id, needs) },
    { weight: 1, arbitrary: link }
  )
}

const tableOf = (entries: ReadonlyArray<fc.Arbitrary<Entry>>): fc.Arbitrary<Table> =>
  fc.tuple(...entries).map((all) => Object.fromEntries(all.map((entry, i) => [names[i] as string, entry])))

/** Tables whose entries need none but later ones, so that all of them can be built; few fail. */
export const graph: fc.Arbitrary<Table> = tableOf(names.map((_, i) => entryOf(i, names.slice(i + 1))))
/** Tables whose entries need each other, so that nearly every way ends in a circle. */
export const knot: fc.Arbitrary<Table> = tableOf(names.map((_, i) => knotted(i)))
export const dense: fc.Arbitrary<Table> = fc.oneof({ weight: 3, arbitrary: graph }, { weight: 1, arbitrary: table })

export const mixture = fc.array(fc.constantFrom(...ways), { minLength: names.length, maxLength: names.length })
export const byMixture =
  (mixture: ReadonlyArray<Way>) =>
  (at: string): Way =>
    mixture[(names as ReadonlyArray<string>).indexOf(at)] ?? "sync"

// ---- what a table says --------------------------------------------------------------------------------------

const nothing: unique symbol = Symbol("nothing")

/** What a name is, by recursion over the table that knows nothing of plans and slots; `undefined` where it cannot be built. */
export const denoted = (t: Table, at: string): { readonly value: unknown } | undefined => {
  const done = new Map<string, unknown>()
  const open = new Set<string>()
  const all = (list: ReadonlyArray<string>): ReadonlyArray<unknown> => list.map(look)
  const read = (e: Entry): unknown => {
    if (e.kind === "plain") return e.n
    if (e.kind === "link") return look(e.to)
    if (e.kind === "branch") {
      const flag = look(e.on)
      const chosen = typeof flag === "number" ? e.cases[flag] : undefined
      return chosen === undefined ? nothing : read(chosen)
    }
    const needed = all(e.needs)
    if (needed.includes(nothing)) return nothing
    if (e.kind === "solved") return e.answer.kind === "plain" ? { solved: e.answer.n, args: needed } : read(e.answer)
    const allowed = e.may.map((n) => (Object.hasOwn(t, n) ? look(n) : "default"))
    if (allowed.includes(nothing) || e.fails) return nothing
    const given = [...e.needs, ...e.may].map((n, i) => [n, [...needed, ...allowed][i]] as const)
    return { part: e.id, given: Object.fromEntries(given) }
  }
  const look = (n: string): unknown => {
    const e = Object.hasOwn(t, n) ? t[n] : undefined
    if (done.has(n)) return done.get(n)
    if (open.has(n) || e === undefined) return nothing
    open.add(n)
    const found = read(e)
    open.delete(n)
    done.set(n, found)
    return found
  }
  const value = look(at)
  return value === nothing ? undefined : { value }
}

/**
 * Injectors from small tables over six names, and what a resolution of one should look at: a reading of the table that knows nothing
 * of plans and slots.
 *
 * Room: laws. Imports: fast-check, `inject`.
 */
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"

// ---- model --------------------------------------------------------------------------------------------------

export interface Part {
  readonly kind: "part"
  readonly id: number
  readonly needs: ReadonlyArray<string>
  readonly may: ReadonlyArray<string>
  readonly fails: boolean
}
export interface LinkTo {
  readonly kind: "link"
  readonly to: string
}
export interface Plain {
  readonly kind: "plain"
  readonly n: number
}
export interface Solved {
  readonly kind: "solved"
  readonly needs: ReadonlyArray<string>
  readonly answer: Plain | Part | LinkTo
}
export interface Branch {
  readonly kind: "branch"
  readonly on: string
  readonly cases: ReadonlyArray<Plain | Part | LinkTo>
}
export type Entry = Part | LinkTo | Plain | Solved | Branch
export type Table = Readonly<Record<string, Entry>>

// ---- arbitraries --------------------------------------------------------------------------------------------

/** The names that tables are about. */
export const names = ["a", "b", "c", "d", "e", "f"] as const
/** One of the names. */
export const name = fc.constantFrom<string>(...names)
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
/** Tables of at most six names. */
export const table: fc.Arbitrary<Table> = fc.dictionary(name, entry, { maxKeys: 6 })

/** The attributes of a table; `built` is told each part that is built and each function that is called. */
export const attributesOf = (t: Table, built: (at: string) => void = () => {}): Record<string, unknown> => {
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

/** The injector of a table; `built` is told of each name that is built. */
export const injectorOf = (t: Table, built?: (at: string) => void): Injector.Any =>
  Injector.make(attributesOf(t, built))

/** Whether `at` can be built, and every name that is looked at on the way, present or not: plain recursion over the table. */
export const reading = (t: Table, at: string): { readonly succeeds: boolean; readonly cone: ReadonlySet<string> } => {
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

/** The same table with other names. */
export const renamed = (t: Table, to: (n: string) => string): Table => {
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

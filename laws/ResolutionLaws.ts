/**
 * The laws of one resolution: new instances, the same value however it is built, everything released, and errors that lead back to
 * the request.
 *
 * Injectors are made from small tables over six names (`./InjectorTable.ts`), each part of which is built in one of four ways: at once,
 * as an Effect, as an Effect that waits, or at once and to be released.
 *
 * Room: laws. Imports: fast-check, effect, `inject`, its own room.
 */
import { Effect, Exit, Fiber, Result, Scope } from "effect"
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"
import type { ResolutionError } from "../src/tensor/Errors.ts"
import { type Entry, name, names, reading, type Table, table } from "./InjectorTable.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about: a way to resolve a name; what has to be released is released when the Scope closes. */
export interface Resolver {
  readonly name: string
  readonly resolve: (a: Injector.Any, name: string) => Effect.Effect<unknown, ResolutionError, Scope.Scope>
}

/** breve's own. */
export const resolver: Resolver = {
  name: "breve's resolution",
  resolve: (a, name) => Effect.map(Injector.resolveUnknown(a, [name]), (found) => found[name])
}

// ---- injectors ----------------------------------------------------------------------------------------------

/** How a part is built. */
type Way = "sync" | "effect" | "waiting" | "scoped" | "acquired"
const ways: ReadonlyArray<Way> = ["sync", "effect", "waiting", "scoped", "acquired"]

/** What happens to parts, in order. */
interface Log {
  readonly built: Array<object>
  readonly released: Array<object>
  /** the part at which the resolution stops for ever, counted from 0; absent: none */
  readonly stopsAt?: number
}

const log = (stopsAt?: number): Log => ({ built: [], released: [], ...(stopsAt !== undefined && { stopsAt }) })

const wait = Effect.callback<void>((resume) => {
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

const injectorOf = (t: Table, wayOf: (at: string) => Way, events: Log = log()): Injector.Any =>
  Injector.make(attributesOf(t, wayOf, events))

/** Parts that do not throw: of an Effect that dies, no value is claimed. */
const sound = (t: Table): Table => {
  const mended = <E extends Entry>(e: E): E => {
    if (e.kind === "part") return { ...e, fails: false }
    if (e.kind === "solved") return { ...e, answer: mended(e.answer) }
    if (e.kind === "branch") return { ...e, cases: e.cases.map(mended) }
    return e
  }
  return Object.fromEntries(Object.entries(t).map(([at, e]) => [at, mended(e)]))
}

/** Tables of parts that need none but later ones, so that all of them can be built; few fail. */
const graph: fc.Arbitrary<Table> = fc
  .tuple(
    ...names.map((_, i) =>
      fc.record({
        kind: fc.constant("part" as const),
        id: fc.constant(i),
        needs: fc.subarray(names.slice(i + 1)),
        may: fc.constant([]),
        fails: fc.nat(9).map((chance) => chance === 0)
      })
    )
  )
  .map((entries) => Object.fromEntries(entries.map((entry, i) => [names[i] as string, entry])))
const dense = fc.oneof({ weight: 3, arbitrary: graph }, { weight: 1, arbitrary: table })

const mixture = fc.array(fc.constantFrom(...ways), { minLength: names.length, maxLength: names.length })
const byMixture =
  (mixture: ReadonlyArray<Way>) =>
  (at: string): Way =>
    mixture[(names as ReadonlyArray<string>).indexOf(at)] ?? "sync"

const seen = (result: Result.Result<unknown, ResolutionError>): string =>
  Result.isSuccess(result)
    ? JSON.stringify({ value: result.success })
    : JSON.stringify([
        result.failure._tag,
        result.failure.path,
        "attribute" in result.failure && result.failure.attribute
      ])

const outcome = (subject: Resolver, injector: Injector.Any, at: string): Promise<string> =>
  Effect.runPromise(Effect.map(Effect.result(Effect.scoped(subject.resolve(injector, at))), seen))

// ---- laws ---------------------------------------------------------------------------------------------------

/** Two resolutions share nothing but what is plain. */
export const fresh: Law.Law<Resolver> = Law.forAllAsync(
  { name: "new instances per resolution", states: "resolve(a, n) twice: equal values, no instance in both" },
  { t: table, n: name },
  async (subject, { t, n }) => {
    const events = log()
    const injector = injectorOf(sound(t), () => "scoped", events)
    const program = Effect.result(Effect.scoped(subject.resolve(injector, n)))
    const [first, second] = await Effect.runPromise(Effect.all([program, program]))
    if (seen(first) !== seen(second)) return `${seen(first)}, then ${seen(second)}`
    if (new Set(events.built).size < events.built.length) return "an instance was built twice"
    const { built } = events
    const both = built.slice(0, built.length / 2).some((part) => built.slice(built.length / 2).includes(part))
    const shared = Result.isSuccess(first) && Result.isSuccess(second) && first.success === second.success
    return (
      !(both || (shared && typeof (first as { success: unknown }).success === "object")) || "an instance is in both"
    )
  }
)

/** However parts are built, at once or not, the value, or the error, is the same. */
export const alike: Law.Law<Resolver> = Law.forAllAsync(
  { name: "every way of building gives the same", states: "sync = effect = asynchronous = scoped = any mixture" },
  { t: dense, n: name, mixture },
  async (subject, { t, n, mixture }) => {
    const whole = sound(t)
    const wanted = await outcome(
      subject,
      injectorOf(whole, () => "sync"),
      n
    )
    for (const way of ways) {
      const got = await outcome(
        subject,
        injectorOf(whole, () => way),
        n
      )
      if (got !== wanted) return `${way}: ${got}, not ${wanted}`
    }
    const mixed = await outcome(subject, injectorOf(whole, byMixture(mixture)), n)
    return mixed === wanted || `mixed: ${mixed}, not ${wanted}`
  }
)

/** Resolutions at the same time know nothing of each other. */
export const independent: Law.Law<Resolver> = Law.forAllAsync(
  { name: "resolutions at the same time are independent", states: "resolve(a, m) beside resolve(a, n) = each alone" },
  { t: dense, m: name, n: name, mixture },
  async (subject, { t, m, n, mixture }) => {
    const injector = injectorOf(sound(t), byMixture(mixture))
    const alone = [await outcome(subject, injector, m), await outcome(subject, injector, n)]
    const together = await Promise.all([outcome(subject, injector, m), outcome(subject, injector, n)])
    const wrong = together.findIndex((one, i) => one !== alone[i])
    return wrong === -1 || `${together[wrong]}, alone ${alone[wrong]}`
  }
)

/** What was built and must be released is, once, the last one first; when the resolution fails, too. */
const inReverse = ({ built, released }: Log): Law.Holds => {
  if (released.length !== built.length) return `${built.length} were acquired, ${released.length} released`
  return built.toReversed().every((part, i) => part === released[i]) || "not in the reverse order"
}

/** Everything acquired is released when the Scope closes, the last one first, whether the resolution succeeded or failed. */
export const released: Law.Law<Resolver> = Law.forAllAsync(
  {
    name: "released once, in reverse order",
    states: "closing the Scope releases what resolve(a, n) acquired, last first, and nothing before if it succeeded"
  },
  { t: dense, n: name, mixture },
  (subject, { t, n, mixture }) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const events = log()
        const scope = yield* Scope.make()
        const injector = injectorOf(t, byMixture(mixture), events)
        const exit = yield* Effect.exit(Scope.provide(subject.resolve(injector, n), scope))
        if (Exit.isSuccess(exit) && events.released.length > 0) return "something is released before the Scope closes"
        yield* Scope.close(scope, Exit.void)
        return inReverse(events)
      })
    )
)

/** A resolution that is interrupted while it waits releases what it had acquired. */
export const interrupted: Law.Law<Resolver> = Law.forAllAsync(
  {
    name: "released when interrupted",
    states: "interrupting resolve(a, n) at any part releases what was acquired, last first"
  },
  { t: dense, n: name, mixture, stopsAt: fc.nat(3), turns: fc.nat(4) },
  (subject, { t, n, mixture, stopsAt, turns }) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const events = log(stopsAt)
        // something to wait at, wherever the mixture has nothing
        const wayOf = (at: string): Way => (byMixture(mixture)(at) === "effect" ? "waiting" : byMixture(mixture)(at))
        const injector = injectorOf(sound(t), wayOf, events)
        const fiber = yield* Effect.forkChild(Effect.exit(Effect.scoped(subject.resolve(injector, n))))
        for (let i = 0; i < turns; i++) yield* wait
        yield* Fiber.interrupt(fiber)
        return inReverse(events)
      })
    )
)

/** A resolution that fails leaves the injector as it was: it fails again in the same way, and can be mended. */
export const harmless: Law.Law<Resolver> = Law.forAllAsync(
  {
    name: "a failed resolution changes nothing",
    states: "resolve(a, n) fails => again in the same way; a.let(m) then resolves as a new injector"
  },
  { t: table, n: name, at: name, value: fc.nat(2) },
  async (subject, { t, n, at, value }) => {
    const injector = injectorOf(t, () => "sync")
    const text = String(injector)
    const first = await outcome(subject, injector, n)
    const again = await outcome(subject, injector, n)
    if (first !== again) return `${first}, then ${again}`
    if (String(injector) !== text) return "the injector looks different"
    const mended = await outcome(subject, Injector.let(injector, { [at]: value }), n)
    const wanted = await outcome(
      subject,
      injectorOf({ ...t, [at]: { kind: "plain", n: value } }, () => "sync"),
      n
    )
    return mended === wanted || `${mended}, a new one ${wanted}`
  }
)

/** An attribute that is put in resolves to itself, whatever else there is. */
export const given: Law.Law<Resolver> = Law.forAllAsync(
  { name: "what is put in comes out", states: "resolve(a.let({ n: v }), n) = v" },
  {
    t: table,
    n: name,
    value: fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.constantFrom(null, undefined, true))
  },
  async (subject, { t, n, value }) => {
    const put = Injector.let(
      injectorOf(t, () => "sync"),
      { [n]: value }
    )
    const found = await Effect.runPromise(Effect.scoped(Effect.result(subject.resolve(put, n))))
    return (Result.isSuccess(found) && Object.is(found.success, value)) || `it comes out as ${seen(found)}`
  }
)

/** Where an entry looks. */
const edges = (e: Entry | undefined): ReadonlyArray<string> => {
  if (e === undefined || e.kind === "plain") return []
  if (e.kind === "link") return [e.to]
  if (e.kind === "branch") return [e.on, ...e.cases.flatMap(edges)]
  return e.kind === "part" ? [...e.needs, ...e.may] : [...e.needs, ...edges(e.answer)]
}

/** Errors lead back to the request: their path begins there and goes along dependencies; a circle ends where it closes. */
export const led: Law.Law<Resolver> = Law.forAllAsync(
  {
    name: "errors lead back to the request",
    states: "path = n, ..., each depends on the next; a circle: the last name is the first one that was there before"
  },
  { t: table, n: name },
  async (subject, { t, n }) => {
    const injector = injectorOf(t, () => "sync")
    const found = await Effect.runPromise(Effect.scoped(Effect.result(subject.resolve(injector, n))))
    if (Result.isSuccess(found)) return reading(t, n).succeeds || "it succeeds, and should not"
    const { _tag, path } = found.failure
    if (!Object.hasOwn(t, n)) return path.length === 0 || `nothing asked for it, and the path is ${path.join(" > ")}`
    if (path[0] !== n) return `${_tag}: the path begins at ${path[0]}`
    const broken = path.findIndex((at, i) => i > 0 && !edges(t[path[i - 1] as string]).includes(at))
    if (broken !== -1) return `${_tag}: ${path[broken - 1]} does not depend on ${path[broken]} (${path.join(" > ")})`
    const repeated = path.findIndex((at, i) => path.indexOf(at) < i)
    if (_tag === "CircularDependency") return repeated === path.length - 1 || `the circle is ${path.join(" > ")}`
    return repeated === -1 || `${_tag}: the path goes in a circle (${path.join(" > ")})`
  }
)

/** Every law of resolutions. */
export const all: ReadonlyArray<Law.Law<Resolver>> = [
  fresh,
  alike,
  independent,
  released,
  interrupted,
  harmless,
  given,
  led
]

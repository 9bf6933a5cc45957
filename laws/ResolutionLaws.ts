/**
 * The laws of one resolution: new instances, the same value however it is built, everything released, and errors that lead back to
 * the request.
 *
 * Injectors are made from small tables over six names (`./ResolutionTable.ts`), each part of which is built in one of five ways: at once, as
 * an Effect, as an Effect that waits, at once and to be released, or as an Effect and to be released.
 *
 * Room: laws. Imports: fast-check, effect, `inject`, its own room.
 */
import { Effect, Exit, Fiber, Result, Scope } from "effect"
import * as fc from "fast-check"
import * as Injector from "../src/inject/Injector.ts"
import type { ResolutionError } from "../src/tensor/WiringErrors.ts"
import { type Entry, name, reading, table } from "./InjectorTable.ts"
import * as Law from "./Law.ts"
import {
  byMixture,
  denoted,
  dense,
  graph,
  injectorOf,
  knot,
  type Log,
  log,
  mixture,
  sound,
  type Way,
  wait,
  ways
} from "./ResolutionTable.ts"

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

// ---- outcomes -----------------------------------------------------------------------------------------------

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

/** However many need a part, and in however many ways they come to it, it is built once. */
export const once: Law.Law<Resolver> = Law.forAllAsync(
  { name: "each part is built once", states: "resolve(a, n) builds no part twice, also where functions answer parts" },
  { t: graph, n: name, mixture },
  async (subject, { t, n, mixture }) => {
    const events = log()
    const wayOf = (at: string): Way => (byMixture(mixture)(at) === "sync" ? "scoped" : "acquired")
    await outcome(subject, injectorOf(sound(t), wayOf, events), n)
    const ids = events.built.map((part) => (part as { readonly part: number }).part)
    return new Set(ids).size === ids.length || `the parts ${ids.join(", ")} were built`
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

/** The value of a name is what the table says, however plans and slots are laid out. */
export const stated: Law.Law<Resolver> = Law.forAllAsync(
  {
    name: "the value is that of the table",
    states: "resolve(a, n) = what the table says of n, or fails where it says nothing"
  },
  { t: dense, n: name },
  async (subject, { t, n }) => {
    const wanted = denoted(t, n)
    const found = await Effect.runPromise(
      Effect.scoped(
        Effect.result(
          subject.resolve(
            injectorOf(t, () => "sync"),
            n
          )
        )
      )
    )
    if (wanted === undefined) return Result.isFailure(found) || `it is ${seen(found)}, and should fail`
    return seen(found) === JSON.stringify(wanted) || `it is ${seen(found)}, not ${JSON.stringify(wanted)}`
  }
)

/** A link stands for the attribute itself, not for another one like it. */
export const linked: Law.Law<Resolver> = Law.forAllAsync(
  { name: "a link is the same instance", states: "resolve(a.let({ l: link(n) }), [l, n]): the same object twice" },
  { t: graph, n: name, mixture },
  async (subject, { t, n, mixture }) => {
    const both = Injector.let(injectorOf(sound(t), byMixture(mixture)), {
      l: Injector.link(n),
      both: Injector.value(["l", n], (one: unknown, other: unknown) => [one, other])
    } as Injector.Attributes)
    const found = await Effect.runPromise(Effect.scoped(subject.resolve(both, "both")))
    const [one, other] = found as readonly [unknown, unknown]
    return one === other || "they are two"
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
  { t: fc.oneof(table, knot), n: name },
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
  once,
  alike,
  independent,
  released,
  interrupted,
  harmless,
  stated,
  linked,
  given,
  led
]

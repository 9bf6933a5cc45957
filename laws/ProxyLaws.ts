/**
 * The laws of living quantizers: what a reload makes, what it keeps when it fails, and when things are released.
 *
 * A case is a script of a few steps with one proxy; a plain model of it (`Model`) says what the proxy should be after each.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, `inject`, `core`, `proxy`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import * as fc from "fast-check"
import * as Brick from "../src/core/Brick.ts"
import * as Module from "../src/core/Module.ts"
import type { TensorQuantizer } from "../src/core/TensorQuantizer.ts"
import * as Injector from "../src/inject/Injector.ts"
import * as Cell from "../src/proxy/Cell.ts"
import * as QuantProxy from "../src/proxy/QuantProxy.ts"
import type { ResolutionError } from "../src/tensor/Errors.ts"
import * as LeasedRef from "../src/tensor/LeasedRef.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about: how proxies are made, rebuilt, shared, read and trained. */
export interface Proxies {
  readonly name: string
  readonly make: (
    injector: Injector.Any,
    module: QuantProxy.TrackedModule
  ) => Effect.Effect<QuantProxy.QuantProxy, ResolutionError, Scope.Scope>
  readonly reload: (proxy: QuantProxy.QuantProxy) => Effect.Effect<void, ResolutionError>
  readonly addModule: (
    proxy: QuantProxy.QuantProxy,
    module: QuantProxy.TrackedModule
  ) => Effect.Effect<void, ResolutionError>
  /** keeps what the proxy has until the Scope closes */
  readonly lease: (proxy: QuantProxy.QuantProxy) => Effect.Effect<Cell.Living, never, Scope.Scope>
  /** replaces what was learned, as a step of training does */
  readonly commit: (proxy: QuantProxy.QuantProxy, parameters: Cell.State["parameters"]) => void
}

/** breve's own. */
export const proxies: Proxies = {
  name: "breve's proxies",
  make: (injector, module) => QuantProxy.make("weight", injector, module),
  reload: QuantProxy.reload,
  addModule: QuantProxy.addModule,
  lease: ({ cell }) => LeasedRef.get(cell),
  commit: ({ cell }, parameters) => Cell.commit(cell, { ...LeasedRef.current(cell), parameters })
}

// ---- the world that quantizers are resolved in --------------------------------------------------------------

/** What becomes of a resolution. */
type Fate = "done" | "fails" | "interrupted"

interface World {
  readonly made: Array<TensorQuantizer>
  readonly released: Array<TensorQuantizer>
  /** how the next resolution goes */
  fate: Fate
  /** told when a resolution that will be interrupted waits */
  waiting: Deferred.Deferred<void>
}

/** An injector whose quantizers are counted; each has one parameter, the largest weight of all modules. */
const injectorOf = (world: World): Injector.Any => {
  const build = ({ module }: { readonly module: Module.Modules }): TensorQuantizer => {
    const weights = Module.list(module).map((one) => one.weight)
    const quantizer = Brick.make(
      "Counted",
      {},
      { parameters: { value: tf.tidy(() => tf.max(tf.concat(weights))) }, memory: {} },
      {
        apply: ({ parameters }: Brick.State, x: tf.Tensor) => {
          const value = parameters.value as tf.Tensor
          return [{ value: x, scale: value, zeroPoint: value, bitWidth: value }, {}] as const
        }
      }
    )
    world.made.push(quantizer)
    return quantizer
  }
  return Injector.make("Counted", {
    quantizer: Injector.componentScoped("Counted", { module: Injector.required<Module.Modules>() }, build, (made) => {
      world.released.push(made)
      Brick.disposeOwn(made)
    }),
    gate: Injector.valueEffect(["quantizer"], (_: TensorQuantizer) =>
      Effect.suspend(() =>
        world.fate === "interrupted"
          ? Effect.andThen(Deferred.succeed(world.waiting, undefined), Effect.never)
          : Effect.succeed(0)
      )
    ),
    tensorQuant: Injector.value(["quantizer", "gate"], (quantizer: TensorQuantizer, _: number) => {
      if (world.fate === "fails") throw new Error("as the script says")
      return quantizer
    })
  })
}

// ---- scripts ------------------------------------------------------------------------------------------------

/** A step: a reload, another module that joins, a step of training, readers that come and go. */
export type Step =
  | { readonly kind: "reload"; readonly fate: Fate }
  | { readonly kind: "join"; readonly fate: Fate; readonly weight: number }
  | { readonly kind: "learn"; readonly value: number }
  | { readonly kind: "read" }
  | { readonly kind: "leave" }

const fate = fc.constantFrom<Fate>("done", "fails", "interrupted")
const number = fc.integer({ min: 1, max: 99 })
const reload = fc.record({ kind: fc.constant("reload" as const), fate })
const join = fc.record({ kind: fc.constant("join" as const), fate, weight: number })
const learn = fc.record({ kind: fc.constant("learn" as const), value: number })
const reading = fc.constantFrom<Step>({ kind: "read" }, { kind: "leave" })
const scriptOf = (...steps: ReadonlyArray<fc.Arbitrary<Step>>): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 8 })
const script = scriptOf(reload, join, learn, reading)

/** What a proxy should be. */
interface Model {
  readonly value: number
  readonly weights: ReadonlyArray<number>
}

/** What was seen of a proxy after a step. */
interface Seen {
  readonly step: Step
  readonly value: number
  readonly quantizer: TensorQuantizer | undefined
  readonly wanted: Model
  readonly before: { readonly value: number; readonly quantizer: TensorQuantizer | undefined }
  /** quantizers that were released although the proxy or a reader has them, or twice */
  readonly wrongly: number
  /** readers whose tensors are gone */
  readonly robbed: number
}

/** What a script has shown. */
interface Shown {
  readonly seen: ReadonlyArray<Seen>
  readonly made: number
  readonly released: number
  readonly tensors: number
  readonly bytes: number
}

const next = (model: Model, step: Step): Model => {
  switch (step.kind) {
    case "learn":
      return { ...model, value: step.value }
    case "reload":
      return step.fate === "done" ? { ...model, value: Math.max(...model.weights) } : model
    case "join": {
      const weights = [...model.weights, step.weight]
      return step.fate === "done" ? { value: Math.max(...weights), weights } : model
    }
    default:
      return model
  }
}

/** Runs what may fail or be interrupted, as its fate is. */
const fated = (world: World, fate: Fate, effect: Effect.Effect<void, ResolutionError>): Effect.Effect<void> =>
  Effect.gen(function* () {
    world.fate = fate
    world.waiting = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(Effect.exit(effect))
    if (fate === "interrupted") {
      yield* Effect.raceFirst(Deferred.await(world.waiting), Fiber.await(fiber))
      yield* Fiber.interrupt(fiber)
    } else yield* Fiber.await(fiber)
    world.fate = "done"
  })

const learnedBy = ({ parameters }: Cell.Living): number => (parameters.value as tf.Tensor).dataSync()[0] as number

/** Plays a script from the first quantizer to the end of everything. */
const played = (subject: Proxies, steps: ReadonlyArray<Step>): Effect.Effect<Shown> =>
  Effect.gen(function* () {
    const before = tf.memory()
    const world: World = { made: [], released: [], fate: "done", waiting: yield* Deferred.make<void>() }
    const seen: Array<Seen> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        const moduleOf = (weight: number): Effect.Effect<QuantProxy.TrackedModule, never, Scope.Scope> =>
          Effect.map(
            Effect.acquireRelease(
              Effect.sync(() => tf.tensor1d([weight])),
              (tensor) => Effect.sync(() => tensor.dispose())
            ),
            (tensor) => () => ({ kind: "Law", weight: tensor, outChannels: 1, outputChannelAxis: 0 })
          )
        const proxy = yield* Effect.orDie(subject.make(injectorOf(world), yield* moduleOf(7)))
        const readers: Array<{
          readonly scope: Scope.Closeable
          readonly living: Cell.Living
          readonly value: number
        }> = []
        const now = () => ({
          value: learnedBy(LeasedRef.current(proxy.cell)),
          quantizer: LeasedRef.current(proxy.cell).quantizer
        })
        let wanted: Model = { value: 7, weights: [7] }
        for (const step of steps) {
          const last = now()
          if (step.kind === "reload") yield* fated(world, step.fate, subject.reload(proxy))
          if (step.kind === "join")
            yield* fated(world, step.fate, subject.addModule(proxy, yield* moduleOf(step.weight)))
          if (step.kind === "learn") subject.commit(proxy, { value: tf.scalar(step.value) })
          if (step.kind === "read") {
            const scope = yield* Scope.make()
            const living = yield* Scope.provide(subject.lease(proxy), scope)
            readers.push({ scope, living, value: learnedBy(living) })
          }
          if (step.kind === "leave") yield* Scope.close(readers.shift()?.scope ?? (yield* Scope.make()), Exit.void)
          wanted = next(wanted, step)
          const held = new Set([now().quantizer, ...readers.map(({ living }) => living.quantizer)])
          const twice = world.released.length - new Set(world.released).size
          const robbed = readers.filter(({ living, value }) => {
            const tensor = living.parameters.value as tf.Tensor
            return tensor.isDisposed || learnedBy(living) !== value
          })
          seen.push({
            ...{ step, ...now(), wanted, before: last },
            wrongly: twice + world.released.filter((one) => held.has(one)).length,
            robbed: robbed.length
          })
        }
        for (const { scope } of readers) yield* Scope.close(scope, Exit.void)
      })
    )
    return {
      seen,
      made: world.made.length,
      released: world.released.length,
      tensors: tf.memory().numTensors - before.numTensors,
      bytes: tf.memory().numBytes - before.numBytes
    }
  })

const shows = (
  statement: Law.Statement<Proxies>,
  steps: fc.Arbitrary<ReadonlyArray<Step>>,
  holds: (shown: Shown) => Law.Holds
): Law.Law<Proxies> =>
  Law.forAllAsync({ weight: 2, ...statement }, { script: steps }, (subject, { script }) =>
    Effect.runPromise(Effect.map(played(subject, script), holds))
  )

const each =
  (holds: (seen: Seen) => Law.Holds) =>
  ({ seen }: Shown): Law.Holds => {
    for (const [i, one] of seen.entries()) {
      const answer = holds(one)
      if (answer !== true) return `after step ${i + 1}: ${answer === false ? "it does not hold" : answer}`
    }
    return true
  }

// ---- laws ---------------------------------------------------------------------------------------------------

/** A reload is a resolution: another quantizer, with the parameters of the present weights, whatever was learned. */
export const anew: Law.Law<Proxies> = shows(
  {
    name: "a reload resolves anew",
    states: "reload(p) => state(p) = state(make(injector(p))), with another quantizer"
  },
  scriptOf(reload, learn),
  each(({ step, value, quantizer, wanted, before }) => {
    if (step.kind !== "reload" || step.fate !== "done") return true
    if (quantizer === before.quantizer) return "it has the quantizer it had"
    return value === wanted.value || `it has ${value}, a new one would have ${wanted.value}`
  })
)

/** A reload or a join that fails, or is interrupted, leaves the quantizer and what it has learned. */
export const kept: Law.Law<Proxies> = shows(
  {
    name: "what fails changes nothing",
    states: "reload(p) or addModule(p) fails or is interrupted => p is as before, to the bit"
  },
  script,
  each(({ step, value, quantizer, before }) => {
    if (!("fate" in step) || step.fate === "done") return true
    if (quantizer !== before.quantizer) return "it has another quantizer"
    return value === before.value || `it has ${value}, and had ${before.value}`
  })
)

/** A quantizer that layers share is about all of them, those that failed to join excepted. */
export const shared: Law.Law<Proxies> = shows(
  {
    name: "a shared quantizer is about all modules",
    states: "addModule(p, m) => state(p) is that of all modules of p and m"
  },
  scriptOf(join, join, reload),
  each(({ value, wanted }) => value === wanted.value || `it has ${value}, of all modules it would be ${wanted.value}`)
)

/** A step of training replaces what was learned, and nothing else. */
export const learned: Law.Law<Proxies> = shows(
  { name: "training replaces what was learned", states: "commit(p, s) => state(p) = s, with the same quantizer" },
  scriptOf(learn, learn, reading),
  each(({ value, quantizer, wanted, before }) => {
    if (quantizer !== before.quantizer) return "it has another quantizer"
    return value === wanted.value || `it has ${value}, not ${wanted.value}`
  })
)

/** Who reads keeps what he reads: neither a reload nor training takes it away. */
export const leased: Law.Law<Proxies> = shows(
  { name: "readers keep what they read", states: "lease(p) stays to the bit until its end" },
  script,
  each(({ robbed, wrongly }) => {
    if (robbed > 0) return `${robbed} readers have lost what they read`
    return wrongly === 0 || `${wrongly} quantizers were released too early or twice`
  })
)

/** Everything that was made is released once: when it was replaced and its last reader has gone, or at the end. */
export const once: Law.Law<Proxies> = shows(
  { name: "released exactly once", states: "in the end, made = released, each once" },
  script,
  ({ seen, made, released }) => {
    const early = seen.findIndex(({ wrongly }) => wrongly > 0)
    if (early !== -1) return `after step ${early + 1} something was released too early or twice`
    return made === released || `${made} were made, ${released} released`
  }
)

/** Nothing is left of any script. */
export const leakless: Law.Law<Proxies> = shows(
  { name: "nothing leaks", states: "tensors and bytes are as before, whatever failed or was interrupted" },
  script,
  ({ tensors, bytes }) => (tensors === 0 && bytes === 0) || `${tensors} tensors, ${bytes} bytes are left`
)

/** Every law of proxies. */
export const all: ReadonlyArray<Law.Law<Proxies>> = [anew, kept, shared, learned, leased, once, leakless]

/**
 * Scripts of what happens to a proxy, a plain model of what it should be after each step, and what was seen of it.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, `inject`, `core`, `proxy`, `tensor`.
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
import * as LeasedRef from "../src/tensor/LeasedRef.ts"
import type { ResolutionError } from "../src/tensor/WiringErrors.ts"

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
export const reload = fc.record({ kind: fc.constant("reload" as const), fate })
export const join = fc.record({ kind: fc.constant("join" as const), fate, weight: number })
export const learn = fc.record({ kind: fc.constant("learn" as const), value: number })
export const reading = fc.constantFrom<Step>({ kind: "read" }, { kind: "leave" })
export const scriptOf = (...steps: ReadonlyArray<fc.Arbitrary<Step>>): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 8 })
export const script = scriptOf(reload, join, learn, reading)

/** What a proxy should be. */
interface Model {
  readonly value: number
  readonly weights: ReadonlyArray<number>
}

/** What was seen of a proxy after a step. */
export interface Seen {
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
export interface Shown {
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
export const played = (subject: Proxies, steps: ReadonlyArray<Step>): Effect.Effect<Shown> =>
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

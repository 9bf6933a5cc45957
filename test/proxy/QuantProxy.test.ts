import * as tf from "@tensorflow/tfjs-core"
import { Deferred, Effect, Fiber, MutableRef, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Module from "../../src/core/Module.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Cell from "../../src/proxy/Cell.ts"
import * as QuantProxy from "../../src/proxy/QuantProxy.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

/** A layer of this weight; what it answers can be replaced. */
const moduleOf = (...weight: ReadonlyArray<number>) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => tf.tensor1d([...weight])),
      (made) => Effect.sync(() => made.dispose())
    ),
    (made): QuantProxy.TrackedModule =>
      () => ({ kind: "Test", weight: made, outChannels: 1, outputChannelAxis: 0 })
  )

/**
 * An injector whose quantizers are counted when made and when released; their one parameter is the largest weight of all modules.
 * `before` runs in each resolution, after something was made that has to be released.
 */
const counted = (before: Effect.Effect<void> = Effect.void) => {
  const made: Array<TensorQuantizer> = []
  const released: Array<TensorQuantizer> = []
  const build = ({ module }: { readonly module: Module.Modules }): TensorQuantizer => {
    const weights = Module.list(module).map((m) => m.weight)
    if (weights.some((weight) => Number(weight.dataSync()[0]) < 0)) throw new Error("negative")
    const parameters = { value: tf.tidy(() => tf.max(tf.concat(weights))) }
    const quantizer = Brick.make(
      "Counted",
      {},
      { parameters, memory: { calls: 0 } },
      {
        apply: ({ parameters, memory }: Brick.State, x: tf.Tensor) => {
          const value = parameters.value as tf.Tensor
          return [
            { value: x, scale: value, zeroPoint: value, bitWidth: value },
            { calls: Number(memory.calls) + 1 }
          ] as const
        }
      }
    )
    made.push(quantizer)
    return quantizer
  }
  const injector = Injector.make("Counted", {
    tensorQuant: Injector.value(["quantizer", "gate"], (quantizer: TensorQuantizer, _: number) => quantizer),
    quantizer: Injector.componentScoped(
      "Counted",
      { module: Injector.required<Module.Modules>() },
      build,
      (quantizer) => {
        released.push(quantizer)
        Brick.disposeOwn(quantizer)
      }
    ),
    gate: Injector.valueEffect(["quantizer"], (_: TensorQuantizer) => Effect.as(before, 0))
  })
  return { made, released, injector }
}

const learned = (proxy: QuantProxy.QuantProxy): number | undefined =>
  (LeasedRef.current(proxy.cell).parameters.value as tf.Tensor).dataSync()[0]
const signOf = (proxy: QuantProxy.QuantProxy): boolean | undefined => LeasedRef.current(proxy.cell).signed

describe("QuantProxy.make", () => {
  scopedTest("resolves the declaration for its layer, and knows the sign where it is declared", () =>
    Effect.gen(function* () {
      const { injector } = counted()
      const module = yield* moduleOf(1, 4)
      expect(learned(yield* QuantProxy.make("weight", injector, module))).toBe(4)
      expect(signOf(yield* QuantProxy.make("weight", injector, module))).toBe(undefined)
      for (const signed of [true, false]) {
        const told = Injector.merge(injector, Injector.make({ signed })) as Injector.Any
        expect(signOf(yield* QuantProxy.make("weight", told, module))).toBe(signed)
      }
    })
  )

  scopedTest("one injector gives each proxy a quantizer of its own", () =>
    Effect.gen(function* () {
      const { injector, made } = counted()
      const module = yield* moduleOf(2)
      const a = yield* QuantProxy.make("weight", injector, module)
      const b = yield* QuantProxy.make("weight", injector, module)
      expect(made.length).toBe(2)
      expect(LeasedRef.current(a.cell).quantizer).not.toBe(LeasedRef.current(b.cell).quantizer)
      const state = LeasedRef.current(a.cell)
      Cell.commit(a.cell, { ...state, parameters: { value: tf.scalar(9) } })
      expect([learned(a), learned(b)]).toEqual([9, 2])
    })
  )

  scopedTest("fails where the declaration does, and releases what it had", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const module = yield* moduleOf(1)
      const broken = Injector.merge(injector, Injector.make({ gate: Injector.link("nowhere") })) as Injector.Any
      expect(yield* Effect.flip(QuantProxy.make("weight", broken, module))).toMatchObject({ _tag: "MissingDependency" })
      expect(released).toEqual(made)
      const negative = yield* moduleOf(-1)
      expect(yield* Effect.flip(QuantProxy.make("weight", injector, negative))).toMatchObject({
        _tag: "ConstructionFailed",
        attribute: "quantizer"
      })
    })
  )
})

describe("QuantProxy.reload", () => {
  scopedTest("begins anew from the declaration and the present weight", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const weight = { module: yield* moduleOf(2) }
      const proxy = yield* QuantProxy.make("weight", injector, (candidates) => weight.module(candidates))
      const { quantizer, ...state } = LeasedRef.current(proxy.cell)
      Cell.commit(proxy.cell, { ...state, parameters: { value: tf.scalar(9) }, memory: { calls: 5 } })
      weight.module = yield* moduleOf(3)
      yield* QuantProxy.reload(proxy)
      expect([learned(proxy), LeasedRef.current(proxy.cell).memory.calls]).toEqual([3, 0])
      expect([made.length, released]).toEqual([2, [quantizer]])
    })
  )

  scopedTest("keeps the old quantizer and what it learned when resolving fails", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const weight = { module: yield* moduleOf(2) }
      const proxy = yield* QuantProxy.make("weight", injector, (candidates) => weight.module(candidates))
      Cell.commit(proxy.cell, { parameters: { value: tf.scalar(9) }, memory: { calls: 5 } })
      const before = LeasedRef.current(proxy.cell)
      weight.module = yield* moduleOf(-3)
      expect(yield* Effect.flip(QuantProxy.reload(proxy))).toMatchObject({ _tag: "ConstructionFailed" })
      expect(LeasedRef.current(proxy.cell)).toBe(before)
      expect([learned(proxy), made.length, released.length]).toEqual([9, 1, 0])
    })
  )

  scopedTest("keeps the old quantizer when it is interrupted while resolving, and releases the new one", () =>
    Effect.gen(function* () {
      const wait = MutableRef.make<Effect.Effect<void>>(Effect.void)
      const { injector, made, released } = counted(Effect.suspend(() => MutableRef.get(wait)))
      const proxy = yield* QuantProxy.make("weight", injector, yield* moduleOf(2))
      const before = LeasedRef.current(proxy.cell)
      const begun = yield* Deferred.make<void>()
      MutableRef.set(wait, Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      const reloading = yield* Effect.forkChild(QuantProxy.reload(proxy))
      yield* Deferred.await(begun)
      expect([made.length, released.length]).toEqual([2, 0])
      yield* Fiber.interrupt(reloading)
      expect(LeasedRef.current(proxy.cell)).toBe(before)
      expect([learned(proxy), released]).toEqual([2, [made[1]]])
    })
  )

  scopedTest("a staged quantizer sees the candidates, and is released unless it is swapped in", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const cell = yield* LeasedRef.make(Cell.living({ parameters: {}, memory: {} }))
      const [now, then] = [yield* moduleOf(2), yield* moduleOf(7)]
      const proxy = yield* QuantProxy.make("weight", injector, (candidates) =>
        (candidates(cell) === undefined ? now : then)(candidates)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const staged = yield* QuantProxy.stage(proxy, (asked) => (asked === cell ? {} : undefined))
          expect((LeasedRef.current(staged.ref).parameters.value as tf.Tensor).dataSync()[0]).toBe(7)
          expect([learned(proxy), released.length]).toEqual([2, 0])
        })
      )
      expect([learned(proxy), released]).toEqual([2, [made[1]]])
    })
  )

  it("1,000 reloads, of which some fail and some are interrupted, under readers: all is released once, none in use", async () => {
    const tensors = tf.memory().numTensors
    const wait = MutableRef.make<Effect.Effect<void>>(Effect.void)
    const { injector, made, released } = counted(Effect.suspend(() => MutableRef.get(wait)))
    const outcome = { reads: 0, overtaken: 0, swapped: 0, failed: 0, interrupted: 0 }
    await Effect.gen(function* () {
      const weight = { module: yield* moduleOf(1) }
      const [good, bad] = [weight.module, yield* moduleOf(-1)]
      const proxy = yield* QuantProxy.make("weight", injector, (candidates) => weight.module(candidates))
      const steady = tf.memory().numTensors
      const reader = Effect.gen(function* () {
        for (;;) {
          yield* LeasedRef.use(proxy.cell, ({ quantizer, parameters }) =>
            Effect.gen(function* () {
              for (let i = 0; i <= outcome.reads % 3; i++) {
                expect(released.includes(quantizer as TensorQuantizer)).toBe(false)
                expect((parameters.value as tf.Tensor).isDisposed).toBe(false)
                yield* Effect.yieldNow
              }
              outcome.reads += 1
              if (LeasedRef.current(proxy.cell).quantizer !== quantizer) outcome.overtaken += 1
            })
          )
          yield* Effect.yieldNow
        }
      })
      const readers = yield* Effect.forEach([0, 1, 2, 3], () => Effect.forkChild(reader))
      for (let i = 0; i < 1000; i++) {
        yield* Effect.yieldNow
        const before = LeasedRef.current(proxy.cell)
        if (i % 4 === 0) {
          weight.module = bad
          yield* Effect.flip(QuantProxy.reload(proxy))
          weight.module = good
          expect(LeasedRef.current(proxy.cell)).toBe(before)
          outcome.failed += 1
        } else if (i % 4 === 1) {
          const begun = yield* Deferred.make<void>()
          MutableRef.set(wait, Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
          const reloading = yield* Effect.forkChild(QuantProxy.reload(proxy))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(reloading)
          MutableRef.set(wait, Effect.void)
          expect(LeasedRef.current(proxy.cell)).toBe(before)
          outcome.interrupted += 1
        } else {
          MutableRef.set(wait, i % 3 === 0 ? Effect.yieldNow : Effect.void)
          yield* QuantProxy.reload(proxy)
          MutableRef.set(wait, Effect.void)
          expect(LeasedRef.current(proxy.cell).quantizer).not.toBe(before.quantizer)
          outcome.swapped += 1
          // a training step
          Cell.commit(proxy.cell, { parameters: { value: tf.scalar(i) }, memory: {} })
          expect(learned(proxy)).toBe(i)
        }
      }
      yield* Fiber.interruptAll(readers)
      expect(tf.memory().numTensors).toBe(steady)
      expect(released.length).toBe(made.length - 1)
    }).pipe(Effect.scoped, Effect.runPromise)
    expect(outcome).toMatchObject({ swapped: 500, failed: 250, interrupted: 250 })
    expect(outcome.reads).toBeGreaterThan(1000)
    expect(outcome.overtaken).toBeGreaterThan(100)
    expect(made.length).toBe(1 + 500 + 250)
    expect([released.length, new Set(released).size]).toEqual([made.length, made.length])
    expect(tf.memory().numTensors).toBe(tensors)
  })
})

describe("QuantProxy.addModule", () => {
  scopedTest("resolves the shared quantizer with both layers, and with both at every reload", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const weight = { module: yield* moduleOf(2) }
      const proxy = yield* QuantProxy.make("weight", injector, (candidates) => weight.module(candidates))
      yield* QuantProxy.addModule(proxy, yield* moduleOf(8))
      expect([learned(proxy), released]).toEqual([8, [made[0]]])
      weight.module = yield* moduleOf(11)
      yield* QuantProxy.reload(proxy)
      expect([learned(proxy), released]).toEqual([11, [made[0], made[1]]])
    })
  )

  scopedTest("changes nothing when resolving with the new layer fails", () =>
    Effect.gen(function* () {
      const { injector, made, released } = counted()
      const proxy = yield* QuantProxy.make("weight", injector, yield* moduleOf(2))
      const before = LeasedRef.current(proxy.cell)
      const failed = yield* Effect.flip(QuantProxy.addModule(proxy, yield* moduleOf(-8)))
      expect(failed).toMatchObject({ _tag: "ConstructionFailed" })
      expect(LeasedRef.current(proxy.cell)).toBe(before)
      expect([MutableRef.get(proxy.modules).length, made.length, released.length]).toEqual([1, 1, 0])
      yield* QuantProxy.reload(proxy)
      expect(learned(proxy)).toBe(2)
    })
  )

  scopedTest("changes nothing when it is interrupted", () =>
    Effect.gen(function* () {
      const wait = MutableRef.make<Effect.Effect<void>>(Effect.void)
      const { injector } = counted(Effect.suspend(() => MutableRef.get(wait)))
      const proxy = yield* QuantProxy.make("weight", injector, yield* moduleOf(2))
      const before = LeasedRef.current(proxy.cell)
      const begun = yield* Deferred.make<void>()
      MutableRef.set(wait, Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
      const adding = yield* Effect.forkChild(QuantProxy.addModule(proxy, yield* moduleOf(8)))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(adding)
      expect(LeasedRef.current(proxy.cell)).toBe(before)
      expect(MutableRef.get(proxy.modules).length).toBe(1)
    })
  )

  scopedTest("layers that join at the same time, and a reload between them, lose none", () =>
    Effect.gen(function* () {
      const { injector } = counted(Effect.yieldNow)
      const proxy = yield* QuantProxy.make("weight", injector, yield* moduleOf(2))
      const modules = yield* Effect.forEach([3, 9, 4, 7], (weight) => moduleOf(weight))
      yield* Effect.all(
        modules.flatMap((module) => [QuantProxy.addModule(proxy, module), QuantProxy.reload(proxy)]),
        { concurrency: "unbounded" }
      )
      expect(MutableRef.get(proxy.modules).length).toBe(5)
      expect(learned(proxy)).toBe(9)
    })
  )
})

describe("Cell", () => {
  scopedTest("a committed state replaces what it does not share, after its last reader", () =>
    Effect.gen(function* () {
      const [a, b, c] = [tf.scalar(1), tf.scalar(2), tf.scalar(3)]
      const cell = yield* LeasedRef.make(Cell.living({ parameters: { a, inner: { b } }, memory: { calls: 0 } }))
      tf.dispose([a, b])
      const before = LeasedRef.current(cell)
      const [oldA, oldB] = [before.parameters.a as tf.Tensor, (before.parameters.inner as { b: tf.Tensor }).b]
      yield* LeasedRef.use(cell, () =>
        Effect.sync(() => {
          Cell.commit(cell, { parameters: { a: oldA, inner: { b: c } }, memory: { calls: 1 } })
          expect([oldA.isDisposed, oldB.isDisposed]).toEqual([false, false])
        })
      )
      expect([oldA.isDisposed, oldB.isDisposed, c.isDisposed]).toEqual([false, true, false])
      expect(LeasedRef.current(cell).memory).toEqual({ calls: 1 })
      const same = LeasedRef.current(cell)
      Cell.commit(cell, same)
      expect(LeasedRef.current(cell)).toBe(same)
    })
  )
})

/** What bricks save of themselves, and how they take it back. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Persistence from "../../src/core/Persistence.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import { Int8ActPerTensorFloat } from "../../src/quant/ScaledInt.ts"

const value = "scalingImpl.value"

/** A quantizer of activations, released with the Scope. */
const resolved = (entry: Injector.Any, options: Readonly<Record<string, unknown>> = {}) =>
  Effect.map(
    Injector.resolveUnknown(pipe(entry, Injector.let({ collectStatsSteps: 2, ...options } as never)) as Injector.Any, [
      "tensorQuant"
    ]),
    ({ tensorQuant }) => tensorQuant as TensorQuantizer
  )

/** The state after training calls on an input of this largest magnitude. */
const trained = (quantizer: TensorQuantizer, magnitude: number, calls: number): Persistence.Own => {
  const x = tf.tensor1d([magnitude, -magnitude / 2])
  return Array.from({ length: calls }).reduce<Persistence.Own>((own) => {
    const state = { ...own, training: true }
    const prepared = { ...state, ...quantizer.prepare(state) }
    const [, memory] = quantizer.apply(prepared, x)
    return { parameters: prepared.parameters, memory }
  }, quantizer)
}
const numbers = (named: ReadonlyArray<readonly [string, tf.Tensor]>) =>
  Object.fromEntries(named.map(([name, tensor]) => [name, [...tensor.dataSync()]]))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Persistence on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const scopedTest = <E>(name: string, body: () => Effect.Effect<void, E, Scope.Scope>) =>
      it(name, async () => {
        const before = tf.memory().numTensors
        await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
        expect(tf.memory().numTensors).toBe(before)
      })
    /** Looks at a quantizer; every tensor that it makes is disposed. */
    const look = <E>(quantizer: Effect.Effect<TensorQuantizer, E, Scope.Scope>, f: (q: TensorQuantizer) => void) =>
      Effect.map(quantizer, (q) => {
        tf.tidy(() => f(q))
      })

    scopedTest("a value that collects: nothing, what it would become, itself", () =>
      look(resolved(Int8ActPerTensorFloat), (q) => {
        expect(Persistence.all(q, q).map(([name, { shape }]) => [name, shape])).toEqual([[value, []]])
        expect(Persistence.saved(q, q)).toEqual([])
        for (const calls of [1, 2, 3])
          expect(numbers(Persistence.saved(q, trained(q, 3, calls)))[value]?.[0]).toBeCloseTo(3, 5)
      })
    )

    scopedTest("of a power of two the logarithm is saved", () =>
      look(resolved(FixedPoint.Int8ActPerTensorFixedPoint), (q) => {
        const saved = numbers(Persistence.saved(q, trained(q, 3, 1)))
        expect(saved[value]?.[0]).toBeCloseTo(Math.log2(3), 6)
      })
    )

    scopedTest("a value that is loaded has begun, and makes no tensors", () =>
      look(resolved(Int8ActPerTensorFloat), (q) => {
        const mine = tf.scalar(0.5)
        const tensors = tf.memory().numTensors
        const own = Persistence.loaded(
          q,
          q,
          new Map([
            [value, mine],
            ["elsewhere", mine]
          ])
        )
        expect(tf.memory().numTensors).toBe(tensors)
        expect(Persistence.saved(q, own)).toEqual([[value, mine]])
        expect(own.memory).toMatchObject({ scalingImpl: { counter: 3 } })
        const prepared = q.prepare({ ...own, training: true })
        expect(Persistence.saved(q, prepared)).toEqual([[value, mine]])
        // nothing to load: the same state
        const before = trained(q, 3, 3)
        expect(Persistence.loaded(q, before, new Map())).toEqual(before)
      })
    )

    scopedTest("what running statistics have saved begins a learned scale", () =>
      look(resolved(FixedPoint.Int8ActPerTensorFixedPoint), (q) => {
        const alias = Persistence.aliases(q, q).get("scalingImpl.runtimeStats.runningStats")
        expect(alias?.name).toBe(value)
        expect(alias?.convert(tf.scalar(-8)).dataSync()[0]).toBe(3)
      })
    )

    scopedTest("a learned width takes a fixed one, unless it shall not", () =>
      Effect.gen(function* () {
        const learned = { bitWidthImplType: "parameter", bitWidth: 4 }
        const name = "msbClampBitWidthImpl.bitWidthOffset"
        yield* look(resolved(Int8ActPerTensorFloat, learned), (q) => {
          const alias = Persistence.aliases(q, q).get("msbClampBitWidthImpl.bitWidth")
          expect([alias?.name, alias?.convert(tf.scalar(6)).dataSync()[0]]).toEqual([name, 4])
          const own = Persistence.loaded(q, q, new Map([[name, tf.scalar(5)]]))
          expect(numbers(Persistence.saved(q, own))[name]).toEqual([5])
        })
        yield* look(resolved(Int8ActPerTensorFloat, { ...learned, overridePretrainedBitWidth: true }), (q) => {
          const own = Persistence.loaded(q, q, new Map([[name, tf.scalar(5)]]))
          expect(numbers(Persistence.saved(q, own))[name]).toEqual([2])
        })
      })
    )

    it("a brick that stands in two places is saved once, and loaded for both", () => {
      const own = tf.scalar(1)
      const shared = Brick.make(
        "Shared",
        {},
        { parameters: { value: own } },
        { apply: (s: Brick.State) => [s.parameters.value, {}] as const }
      )
      const whole = Brick.make(
        "Whole",
        { first: shared, second: Brick.make("Inner", { deep: shared }, {}, {}) },
        {},
        {
          apply: (s: Brick.State) => [Brick.partOf(Brick.partOf(s, "second"), "deep").parameters.value, {}] as const
        }
      )
      expect(Persistence.saved(whole, whole)).toEqual([["first.value", own]])
      const other = tf.scalar(2)
      const state = Persistence.loaded(whole, whole, new Map([["first.value", other]]))
      expect(whole.apply({ ...state, training: false })[0]).toBe(other)
      tf.dispose([own, other])
    })
  })

/** Dropout.ts: what is dropped, when, and what becomes of quantized values. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Dropout from "../../src/nn/Dropout.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Checkpoint from "../../src/train/Checkpoint.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const backends = { wasm: Backend.layer, cpu: Backend.cpu }

const owned = <T extends Layer.Value>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (value) => Effect.sync(() => QuantTensor.dispose(value)))

/** What a layer answers, as numbers. */
const numbers = (layer: Layer.Layer, x: Layer.Value, mode: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const values = [...QuantTensor.dequantized(y).dataSync()]
    const scale = QuantTensor.isQuantTensor(y) ? y.scale.dataSync()[0] : undefined
    QuantTensor.dispose(y)
    return { values, scale }
  })

describe.each(Object.entries(backends))("dropout on %s", (_, backend) => {
  const test = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
    it(name, () =>
      Effect.runPromise(
        Effect.gen(function* () {
          expect((yield* Backend.Backend).name).toBe(tf.getBackend())
          const before = tf.memory().numTensors
          yield* Effect.scoped(body())
          expect(tf.memory().numTensors).toBe(before)
        }).pipe(Effect.provide(backend))
      )
    )
  const row = (length: number) =>
    owned(() =>
      tf.tensor2d(
        Float32Array.from({ length }, (_, i) => i + 1),
        [2, length / 2]
      )
    )

  test("drops a share of the values and lets the others grow", () =>
    Effect.gen(function* () {
      const [layer, x] = [yield* Dropout.dropout({ probability: 0.25, seed: 3 }), yield* row(4000)]
      const { values } = yield* numbers(layer, x, Layer.training)
      const zeros = values.filter((y) => y === 0).length
      expect(zeros).toBeGreaterThan(900)
      expect(zeros).toBeLessThan(1100)
      values.forEach((y, i) => {
        if (y !== 0) expect(y).toBeCloseTo((i + 1) / 0.75, 2)
      })
    }))

  test("lets everything through in evaluation, and draws nothing", () =>
    Effect.gen(function* () {
      const [layer, x] = [yield* Dropout.dropout({ seed: 3 }), yield* row(64)]
      const other = yield* Dropout.dropout({ seed: 3 })
      expect((yield* numbers(layer, x, Layer.evaluation)).values).toEqual([...x.dataSync()])
      const { values } = yield* numbers(layer, x, Layer.training)
      expect(values).toEqual((yield* numbers(other, x, Layer.training)).values)
    }))

  test("drops others in each step, and the same from the same seed", () =>
    Effect.gen(function* () {
      const x = yield* row(64)
      const three = (seed: number) =>
        Effect.gen(function* () {
          const layer = yield* Dropout.dropout({ seed })
          return yield* Effect.forEach([1, 2, 3], () => numbers(layer, x, Layer.training))
        })
      const [first, again, other] = [yield* three(1), yield* three(1), yield* three(2)]
      expect(again).toEqual(first)
      expect(new Set([...first, ...other].map(({ values }) => values.join())).size).toBe(6)
    }))

  test("passes gradients where values went through", () =>
    Effect.gen(function* () {
      const [layer, x] = [yield* Dropout.dropout({ probability: 0.2 }), yield* row(200)]
      tf.tidy(() => {
        const y = (t: tf.Tensor) => layer.apply(Layer.read(layer), t, Layer.training)[0] as tf.Tensor
        const [slopes, values] = [
          tf
            .grad((t) => tf.sum(y(t)))(x)
            .dataSync(),
          y(x).dataSync()
        ]
        expect(values.some((v) => v === 0)).toBe(true)
        slopes.forEach((dx, i) => {
          expect(dx).toBeCloseTo(values[i] === 0 ? 0 : 1.25, 6)
        })
      })
    }))

  test("is nothing with the probability 0", () =>
    Effect.gen(function* () {
      const [layer, x] = [yield* Dropout.dropout({ probability: 0 }), yield* row(8)]
      expect((yield* numbers(layer, x, Layer.training)).values).toEqual([...x.dataSync()])
    }))

  test("lets no NaN vanish", () =>
    Effect.gen(function* () {
      const [layer, x] = [yield* Dropout.dropout(), yield* owned(() => tf.fill([50], Number.NaN))]
      expect((yield* numbers(layer, x, Layer.training)).values.every(Number.isNaN)).toBe(true)
    }))

  test("keeps the format of integers, on a wider grid", () =>
    Effect.gen(function* () {
      const format = { scale: 0.5, zeroPoint: 0, bitWidth: 4, signed: true, training: true }
      const x = yield* owned(() =>
        tf.tidy(() => QuantTensor.fromNumbers(tf.tensor1d([1.5, -4, 3.5, 0.5]), format) as never)
      )
      const layer = yield* Dropout.dropout({ probability: 0.5 })
      const y = yield* Effect.acquireRelease(Layer.forward(layer, x, Layer.training), (made) =>
        Effect.sync(() => QuantTensor.dispose(made))
      )
      if (!QuantTensor.isQuantTensor(y)) throw new Error("the format is lost")
      expect(y.scale.dataSync()[0]).toBe(1)
      expect(QuantTensor.isValid(y)).toBe(true)
      y.value.dataSync().forEach((v, i) => {
        expect([0, [3, -8, 7, 1][i]]).toContain(v)
      })
      expect((yield* numbers(layer, x, Layer.evaluation)).scale).toBe(0.5)
    }))

  for (const [what, format] of [
    ["a sign alone", { zeroPoint: 0, bitWidth: 1, signed: true }],
    ["a zero-point", { zeroPoint: 3, bitWidth: 4, signed: false }]
  ] as const)
    test(`makes plain values of what has ${what}`, () =>
      Effect.gen(function* () {
        const about = { scale: 1, training: true, ...format }
        const x = yield* owned(() =>
          tf.tidy(() => QuantTensor.fromNumbers(tf.tensor1d([1, -1, 1, -1]), about) as never)
        )
        const layer = yield* Dropout.dropout()
        expect((yield* numbers(layer, x, Layer.training)).scale).toBeUndefined()
        expect((yield* numbers(layer, x, Layer.evaluation)).scale).toBe(1)
      }))

  test("goes on from a checkpoint with the values that come next", () =>
    Effect.gen(function* () {
      const x = yield* row(64)
      const trainer = Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 4, seed: 1 })
        const model = Model.sequential({ drop: yield* Dropout.dropout({ seed: 5 }), fc })
        return yield* Trainer.make(model, Optimizer.sgd(1e-4))
      })
      const step = (self: Trainer.Trainer) => Trainer.step(self, x, (y) => tf.mean(tf.square(y)))
      const [first, second] = [yield* trainer, yield* trainer]
      yield* Effect.forEach([1, 2, 3], () => step(first))
      const saved = yield* Checkpoint.take(first, Checkpoint.beginning(Random.make(1)))
      const rest = yield* Effect.forEach([4, 5, 6], () => step(first))
      yield* Checkpoint.restore(second, saved)
      expect(yield* Effect.forEach([4, 5, 6], () => step(second))).toEqual(rest)
      expect(new Set(rest).size).toBe(3)
    }))

  test("has nothing to save", () =>
    Effect.gen(function* () {
      const layer = yield* Dropout.dropout()
      expect(yield* State.extract(layer)).toEqual({})
    }))

  for (const probability of [-0.1, 1, Number.NaN])
    test(`refuses the probability ${probability}`, () =>
      Effect.gen(function* () {
        const { _tag, message } = yield* Effect.flip(Dropout.dropout({ probability }))
        expect(_tag).toBe("InvalidOptions")
        expect(message).toContain(`from 0 to below 1; it is ${probability}`)
      }))
})

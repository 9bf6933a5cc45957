/** TensorNorm.ts: the numbers of a case by hand, what is remembered, and that it learns. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as State from "../../src/nn/State.ts"
import * as TensorNorm from "../../src/nn/TensorNorm.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const values = [1, 2, 3, 4, 5, 9]
const mean = 4
const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)

describe.each(Object.entries({ wasm: Backend.layer, cpu: Backend.cpu }))("tensorNorm on %s", (_, backend) => {
  const test = <A, E>(name: string, body: (x: tf.Tensor) => Effect.Effect<A, E, Scope.Scope>) =>
    it(name, () =>
      Effect.runPromise(
        Effect.gen(function* () {
          expect((yield* Backend.Backend).name).toBe(tf.getBackend())
          const before = tf.memory().numTensors
          const x = tf.tensor2d(values, [2, 3])
          yield* Effect.scoped(body(x))
          x.dispose()
          expect(tf.memory().numTensors).toBe(before)
        }).pipe(Effect.provide(backend))
      )
    )
  const normed = (layer: Layer.Layer, x: tf.Tensor, mode: Layer.Mode) =>
    Effect.map(Layer.forward(layer, x, mode), (y) => {
      const { shape } = y as tf.Tensor
      const found = [...(y as tf.Tensor).dataSync()]
      ;(y as tf.Tensor).dispose()
      return { shape, found }
    })
  const close = (found: ReadonlyArray<number>, wanted: ReadonlyArray<number>) =>
    found.forEach((y, i) => {
      expect(y).toBeCloseTo(wanted[i] as number, 5)
    })

  test("takes one mean and one variance of all values", (x) =>
    Effect.gen(function* () {
      const { shape, found } = yield* normed(yield* TensorNorm.tensorNorm(), x, Layer.training)
      expect(shape).toEqual([2, 3])
      close(
        found,
        values.map((v) => (v - mean) / Math.sqrt(squares / 6 + 1e-4))
      )
    }))

  test("remembers a tenth of them, the variance divided by n - 1, and uses that in evaluation", (x) =>
    Effect.gen(function* () {
      const layer = yield* TensorNorm.tensorNorm()
      yield* normed(layer, x, Layer.training)
      const variance = 0.9 + (0.1 * squares) / 5
      const { found } = yield* normed(layer, x, Layer.evaluation)
      close(
        found,
        values.map((v) => (v - 0.4) / Math.sqrt(variance + 1e-4))
      )
      expect(Object.keys(yield* State.extract(layer))).toEqual(["weight", "bias", "runningMean", "runningVar"])
    }))

  test("learns its scale and bias", (x) =>
    Effect.gen(function* () {
      const trainer = yield* Trainer.make(yield* TensorNorm.tensorNorm(), Optimizer.sgd(0.1))
      const losses = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
        Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, 2))))
      )
      expect(losses[0]).toBeCloseTo(5, 3)
      expect(losses[4]).toBeLessThan(2.5)
    }))

  test("refuses a negative epsilon", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TensorNorm.tensorNorm({ epsilon: -1 }))
      expect(error.message).toContain("epsilon")
    }))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Optimizer from "../../src/train/Optimizer.ts"

beforeAll(() => Effect.runPromise(Effect.provide(Effect.void, Backend.cpu)))

const numbers = (x: tf.Tensor | undefined): ReadonlyArray<number> => [...(x?.dataSync() ?? [])]

describe("Optimizer", () => {
  it("sgd goes down the gradient and leaves alone what has none", () =>
    tf.tidy(() => {
      const parameters = [tf.tensor1d([1, 2]), tf.scalar(5)]
      const optimizer = Optimizer.sgd(0.5)
      const [next, state] = optimizer.update(optimizer.init(parameters), parameters, [tf.tensor1d([2, -4]), null])
      expect(numbers(next[0])).toEqual([0, 4])
      expect(next[1]).toBe(parameters[1])
      expect(state.steps).toBe(1)
    }))

  it("adam's first two steps are those of the formula", () =>
    tf.tidy(() => {
      const [rate, b1, b2] = [0.1, 0.9, 0.999]
      const optimizer = Optimizer.adam(rate, b1, b2)
      const [g1, g2] = [3, -1]
      const start = [tf.scalar(1)]
      const [first, afterFirst] = optimizer.update(optimizer.init(start), start, [tf.scalar(g1)])
      expect(numbers(first[0])[0]).toBeCloseTo(1 - rate, 5)
      const [second] = optimizer.update(afterFirst, first, [tf.scalar(g2)])
      const m = (b1 * (1 - b1) * g1 + (1 - b1) * g2) / (1 - b1 ** 2)
      const v = (b2 * (1 - b2) * g1 ** 2 + (1 - b2) * g2 ** 2) / (1 - b2 ** 2)
      expect(numbers(second[0])[0]).toBeCloseTo(1 - rate - (rate * m) / Math.sqrt(v), 5)
    }))
})

describe("Loss.crossEntropy", () => {
  it("is -log softmax of the label, with the gradient softmax minus one-hot", () =>
    tf.tidy(() => {
      const logits = tf.tensor2d([[1, 2, 0.5]])
      const labels = tf.tensor1d([1], "int32")
      const exps = [1, 2, 0.5].map(Math.exp)
      const softmax = exps.map((e) => e / exps.reduce((a, b) => a + b))
      expect(numbers(Loss.crossEntropy(logits, labels))[0]).toBeCloseTo(-Math.log(softmax[1] as number), 5)
      const [gradient] = tf.grads((x) => Loss.crossEntropy(x, labels))([logits])
      numbers(gradient).forEach((g, i) => {
        expect(g).toBeCloseTo((softmax[i] as number) - (i === 1 ? 1 : 0), 5)
      })
    }))

  it("stays finite for large logits", () =>
    tf.tidy(() => {
      const loss = Loss.crossEntropy(tf.tensor2d([[1000, -1000]]), tf.tensor1d([1], "int32"))
      expect(numbers(loss)[0]).toBeGreaterThan(1000)
      expect(Number.isNaN(numbers(loss)[0])).toBe(false)
    }))
})

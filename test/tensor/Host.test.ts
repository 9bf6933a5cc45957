import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Host from "../../src/tensor/Host.ts"

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Host on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("map: every element, shape kept, rounded to float32 once", () => {
      const x = tf.tensor([1, -2, 3, Number.NaN, 1e-40, -0], [2, 3])
      const y = Host.map(x, (n) => n / 3)
      expect([y.shape, y.dtype]).toEqual([[2, 3], "float32"])
      const expected = [1, -2, 3, Number.NaN, 1e-40, -0].map((n) => Math.fround(Math.fround(n) / 3))
      expect(Array.from(y.dataSync())).toEqual(expected)
      expect(Object.is(y.dataSync()[5], -0)).toBe(true)
      tf.dispose([x, y])
    })
    it("map: the input stays as it is, whatever its type; empty tensors and scalars", () => {
      const whole = tf.tensor([1, 2], [2], "int32")
      const truth = tf.tensor([true, false], [2], "bool")
      const made = [whole, truth, tf.zeros([0, 3]), tf.scalar(7)]
      const mapped = made.map((x) => Host.map(x, (n) => n + 0.5))
      expect(mapped.map((y) => [y.shape, y.dtype, Array.from(y.dataSync())])).toEqual([
        [[2], "float32", [1.5, 2.5]],
        [[2], "float32", [1.5, 0.5]],
        [[0, 3], "float32", []],
        [[], "float32", [7.5]]
      ])
      expect([...whole.dataSync(), ...truth.dataSync()]).toEqual([1, 2, 1, 0])
      tf.dispose([...made, ...mapped])
    })
    it("transform: nothing but its answer is made", () => {
      const x = tf.tensor1d([1, 2, 3])
      const before = tf.memory().numTensors
      const y = Host.transform(x, (from, to) => to.set(from.map((n) => -n)))
      expect(tf.memory().numTensors).toBe(before + 1)
      expect([...Host.floats(y)]).toEqual([-1, -2, -3])
      tf.dispose([x, y])
    })
  })

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { merged } from "../../src/core/TensorQuantizer.ts"
import { DynamicOverSubChannelBlockView } from "../../src/core/View.ts"

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)

const e2m1 = {
  exponentBitWidth: 2,
  mantissaBitWidth: 1,
  exponentBias: 1,
  saturating: true,
  infValues: undefined,
  nanValues: undefined
}
const made = (value: ReadonlyArray<number>, more: Partial<QuantTensor.QuantTensor> = {}): QuantTensor.QuantTensor =>
  QuantTensor.make({
    value: tf.tensor1d([...value]),
    scale: tf.scalar(0.5),
    zeroPoint: tf.scalar(0),
    bitWidth: tf.scalar(4),
    signed: true,
    training: false,
    ...more
  })
const grouped = (): QuantTensor.QuantTensor => {
  const view = DynamicOverSubChannelBlockView({ groupSize: 2, groupDim: 0 })
  const parts = {
    value: tf.tensor2d([
      [0.5, -1],
      [8, 0]
    ]),
    scale: tf.tensor2d([[0.5], [4]]),
    zeroPoint: tf.scalar(0),
    bitWidth: tf.scalar(4)
  }
  return QuantTensor.fromQuantized(merged(parts, view, [3]), { signed: true, training: false, float: undefined })
}

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`QuantTensor on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("minifloats: on their grid, whatever their exponents; the integers before them", () =>
      void tf.tidy(() => {
        const float = made([0.25, -0.5, 0.75, 3, -2, 0], { float: e2m1 })
        expect(numbers(QuantTensor.minifloat(float))).toEqual([0.5, -1, 1.5, 6, -4, 0])
        expect(numbers(QuantTensor.int(float))).toEqual([1, -2, 3, 3, -2, 0])
        expect(QuantTensor.isValid(float)).toBe(true)
        expect([0.3, 2.5, nan, inf].map((x) => QuantTensor.isValid(made([0.5, x], { float: e2m1 })))).toEqual([
          false,
          false,
          false,
          false
        ])
        expect(numbers(QuantTensor.minifloat(made([0.5, -1.5])))).toEqual([1, -3])
      }))

    it("NaN and infinities lie on no grid of integers, an empty tensor does", () =>
      void tf.tidy(() => {
        expect([[nan], [inf], [-inf], []].map((x) => QuantTensor.isValid(made(x)))).toEqual([false, false, false, true])
        expect(QuantTensor.isValid(made([], { float: e2m1 }))).toBe(true)
        expect(QuantTensor.int(made([])).shape).toEqual([0])
      }))

    it("groups: each value by the scale of its own; the parts stay", () =>
      void tf.tidy(() => {
        const self = grouped()
        expect([self.value, self.scale, self.zeroPoint].map(numbers)).toEqual([[0.5, -1, 8], [0.5, 0.5, 4], [0]])
        expect(numbers(QuantTensor.int(self))).toEqual([1, -2, 2])
        expect([QuantTensor.isValid(self), self.grouped?.size, self.grouped?.dim]).toEqual([true, 2, 0])
        expect(self.grouped?.scale.shape).toEqual([2, 1])
      }))

    it("a copy has tensors of its own, and dispose leaves none behind", () => {
      const before = tf.memory().numTensors
      const plain = tf.scalar(1)
      const kept: Array<QuantTensor.QuantTensor> = []
      tf.tidy(() => void kept.push(QuantTensor.map(grouped(), (tensor) => tf.keep(tf.clone(tensor)))))
      const [self] = kept as [QuantTensor.QuantTensor]
      const copy = QuantTensor.map(self, tf.clone)
      expect(QuantTensor.tensorsOf(self).length).toBe(7)
      QuantTensor.dispose(self)
      expect(QuantTensor.tensorsOf(copy).some((tensor) => tensor.isDisposed)).toBe(false)
      QuantTensor.dispose(copy)
      QuantTensor.dispose(plain)
      expect(tf.memory().numTensors).toBe(before)
    })
  })

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as FloatScaling from "../../src/core/FloatScaling.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const e3m2 = { exponentBitWidth: 3, mantissaBitWidth: 2, exponentBias: 3 }
const clamp = (more: Partial<Parameters<typeof FloatScaling.FloatClamp>[0]> = {}) =>
  FloatScaling.FloatClamp({ tensorClampImpl: Clamp.TensorClamp({}), signed: true, ...more })

describe("options", () => {
  it("a clamp needs codes in bits, a positive largest value, and without saturation a code for what is beyond", () => {
    expect(() => clamp({ nanValues: ["12"] })).toThrow('"nanValues" has "12"')
    expect(() => clamp({ infValues: [""] })).toThrow('"infValues"')
    expect(() => clamp({ maxAvailableFloat: 0 })).toThrow('"maxAvailableFloat" is 0')
    expect(() => FloatScaling.FloatScaling({ maxAvailableFloat: nan })).toThrow('"maxAvailableFloat" is NaN')
    expect(() => clamp({ saturating: false })).toThrow('"saturating"')
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`FloatScaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const numbers = (make: () => tf.Tensor): ReadonlyArray<number> => {
      const made = tf.tidy(make)
      const values = Array.from(made.dataSync())
      made.dispose()
      return values
    }
    it("the largest value of the format, or the available one if that is smaller", () => {
      const largest = (maxAvailableFloat: number | undefined, format = e3m2) =>
        numbers(() => FloatScaling.FloatScaling({ maxAvailableFloat }).apply(format))
      expect([largest(undefined), largest(24), largest(1000)]).toEqual([[28], [24], [28]])
      const bfloat16 = { exponentBitWidth: 8, mantissaBitWidth: 7, exponentBias: 127 }
      expect([largest(undefined, bfloat16), largest(2 ** 127, bfloat16)]).toEqual([[inf], [2 ** 127]])
    })
    it("holds values within the range of the format", () => {
      const held = (of: FloatScaling.FloatClamp) =>
        numbers(() => of.apply(tf.tensor1d([-40, -25, 0, 25, 40, nan, inf, minus]), e3m2))
      expect(held(clamp())).toEqual([-28, -25, 0, 25, 28, nan, 28, -28])
      expect(held(clamp({ maxAvailableFloat: 24 }))).toEqual([-24, -24, 0, 24, 24, nan, 24, -24])
      expect(held(clamp({ signed: false }))).toEqual([0, 0, 0, 25, 28, nan, 28, 0])
      expect(held(clamp({ infValues: ["11"], nanValues: ["10"], saturating: false }))).toEqual([
        minus,
        -25,
        0,
        25,
        inf,
        nan,
        inf,
        minus
      ])
      expect(held(clamp({ nanValues: ["11"], saturating: false }))).toEqual([nan, -25, 0, 25, nan, nan, nan, nan])
    })
    it("leaves nothing behind", () => {
      const before = tf.memory().numTensors
      numbers(() => clamp().apply(tf.tensor1d([-40, 2]), e3m2))
      expect(tf.memory().numTensors).toBe(before)
    })
  })

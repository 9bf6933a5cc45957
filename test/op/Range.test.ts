import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Range from "../../src/op/Range.ts"

const at = (f: typeof Range.maxInt, bits: number, range: Range.IntegerRange) =>
  tf.tidy(() => {
    const { value, grad } = tf.valueAndGrad((b: tf.Tensor) => f(b, range) as tf.Scalar)(tf.scalar(bits))
    return [value, grad].map((t) => Number(t.dataSync()[0]) + 0) as [value: number, gradient: number]
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Range on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    for (const bits of [1, 2, 4, 8, 16])
      for (const signed of [true, false])
        for (const narrowRange of [true, false])
          it(`${bits} bits, ${signed ? "signed" : "unsigned"}${narrowRange ? ", narrow" : ""}`, () => {
            const [max, dMax] = at(Range.maxInt, bits, { signed, narrowRange })
            const [min, dMin] = at(Range.minInt, bits, { signed, narrowRange })
            expect(max).toBe(signed ? 2 ** (bits - 1) - 1 : 2 ** bits - (narrowRange ? 2 : 1))
            expect(min).toBe(signed ? -(2 ** (bits - 1)) + (narrowRange ? 1 : 0) : 0)
            const slope = Math.LN2 * 2 ** (signed ? bits - 1 : bits)
            expect(dMax / slope).toBeCloseTo(1, 5)
            expect(dMin / slope).toBeCloseTo(signed ? -1 : 0, 5)
          })

    it("takes widths between the whole ones", () => {
      expect(at(Range.maxInt, 3.5, { signed: false, narrowRange: false })[0]).toBeCloseTo(2 ** 3.5 - 1, 4)
    })
    it("centredL1Bound: half of it for each sign fills the accumulator, and its gradients are those of the formula", () => {
      const bound = (p: tf.Tensor, n: tf.Tensor) => Range.centredL1Bound(p, n)
      tf.tidy(() => {
        const [p, n] = [tf.scalar(16), tf.scalar(8)]
        expect(bound(p, n).dataSync()[0]).toBe(Math.fround((2 ** 16 - 2) / 255))
        const [dp, dn] = tf.grads((p, n) => bound(p as tf.Tensor, n as tf.Tensor))([p, n]) as [tf.Tensor, tf.Tensor]
        expect((dp.dataSync()[0] as number) / ((Math.LN2 * 2 ** 16) / 255)).toBeCloseTo(1, 5)
        expect((dn.dataSync()[0] as number) / ((-Math.LN2 * 256 * (2 ** 16 - 2)) / 255 ** 2)).toBeCloseTo(1, 5)
      })
    })
    it("l1Bound: the largest sum of magnitudes that an accumulator bears", () => {
      const bound = (accumulator: number, input: number, signed: boolean) =>
        tf.tidy(() => Range.l1Bound(tf.scalar(accumulator), tf.scalar(input), signed).dataSync()[0])
      expect(bound(16, 8, false)).toBe((2 ** 15 - 1) / 2 ** 8)
      expect(bound(16, 8, true)).toBe((2 ** 15 - 1) / 2 ** 7)
    })
  })

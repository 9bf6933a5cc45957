import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as PowerOfTwo from "../../src/op/PowerOfTwo.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>) => {
  const [value, gradient] = tf.tidy(() => {
    const input = tf.tensor1d([...x])
    return [f(input), tf.grad((a: tf.Tensor) => f(a))(input, tf.onesLike(input))]
  }) as [tf.Tensor, tf.Tensor]
  const numbers = { value: Array.from(value.dataSync()), gradient: Array.from(gradient.dataSync()) }
  tf.dispose([value, gradient])
  return numbers
}

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`PowerOfTwo on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const whole = Array.from({ length: 277 }, (_, i) => i - 149)

    it("exp2 and log2 undo each other exactly at every power of two that float32 has, denormals too", () => {
      const { value } = at(PowerOfTwo.exp2, whole)
      expect(value.every((y, i) => i === 0 || y === 2 * (value[i - 1] as number))).toBe(true)
      expect(at(PowerOfTwo.log2, value).value).toEqual(whole)
    })
    it("what is beyond float32 becomes 0 or infinite; NaN passes", () => {
      expect(at(PowerOfTwo.exp2, [-200, minus, 128, 1e30, inf, nan]).value).toEqual([0, 0, inf, inf, inf, nan])
      expect(at(PowerOfTwo.log2, [0, -0, -1, inf, nan]).value).toEqual([minus, minus, nan, inf, nan])
    })
    it("a float32 just below 2^k has the logarithm k where k is the nearest float32", () => {
      expect(at(PowerOfTwo.log2, [7.9999995, 15.999999, 0.24999999]).value).toEqual([3, 4, -2])
      expect(at(PowerOfTwo.log2, [3.9999998]).value[0]).toBeLessThan(2)
    })
    it("gradients", () => {
      for (const [i, slope] of at(PowerOfTwo.exp2, [0, 3, -1.5]).gradient.entries())
        expect(slope).toBeCloseTo(Math.LN2 * 2 ** ([0, 3, -1.5][i] as number), 6)
      for (const [i, slope] of at(PowerOfTwo.log2, [1, 8, 0.3]).gradient.entries())
        expect(slope).toBeCloseTo(1 / (Math.LN2 * ([1, 8, 0.3][i] as number)), 6)
    })
    it("empty tensors stay empty", () => expect(at(PowerOfTwo.exp2, []).value).toEqual([]))
  })

describe("PowerOfTwo.near on wasm", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

  const odd = [0, -0, nan, inf, minus, -1, 1e-40, 1e-45, 3.4028235e38, Math.SQRT2, Math.SQRT1_2]
  /** Steps of float32 from powers of two and from their middles, where rounding to float32 first decides. */
  const border = (i: number): number =>
    2 ** (((i * 7) % 250) - 125) * (i % 2 === 0 ? 1 : Math.SQRT2) * (1 + ((i % 131) - 65) * 2 ** -24)
  const text = (x: ReadonlyArray<number>): ReadonlyArray<string> => x.map((v) => (Object.is(v, -0) ? "-0" : String(v)))

  it.each(["nearest", "floor", "ceil"] as const)("%s: kernel = composition, to the bit", (rounding) => {
    expect(tf.getKernel("BrevePowerOfTwo", "wasm")).toBeDefined()
    const all = [...odd, ...Array.from({ length: 9000 }, (_, i) => border(i)), ...whole().map((n) => 2 ** n)]
    for (const x of [all, ...Array.from({ length: 71 }, (_, size) => all.slice(size, 2 * size))]) {
      const mine = at((t) => PowerOfTwo.near(t, rounding), x)
      const definition = at((t) => PowerOfTwo.composition(t, rounding), x)
      expect(text(mine.value)).toEqual(text(definition.value))
      expect(text(mine.gradient)).toEqual(text(definition.gradient))
    }
  })
  const whole = (): ReadonlyArray<number> => Array.from({ length: 277 }, (_, i) => i - 149)
})

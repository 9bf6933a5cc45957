import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Minifloat from "../../src/op/Minifloat.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const format = (exponentBitWidth: number, mantissaBitWidth: number, family: "ocp" | "fnuz" = "ocp") => ({
  exponentBitWidth,
  mantissaBitWidth,
  exponentBias: Minifloat.biasOf(exponentBitWidth, family)
})
const ocp = (e: number, m: number) => ({ ...format(e, m), ...Minifloat.ocpReserved(1 + e + m, e, m) })

const bitsOf = (code: number, width: number): string => (width === 0 ? "" : code.toString(2).padStart(width, "0"))

/** Every finite value of a format that is not negative, by its codes. */
const values = ({ exponentBitWidth: e, mantissaBitWidth: m, exponentBias }: Minifloat.Format): ReadonlyArray<number> =>
  Array.from({ length: 2 ** (e + m) }, (_, code) =>
    Minifloat.codeValue(bitsOf(code >> m, e), bitsOf(code % 2 ** m, m), exponentBias)
  )

describe("formats", () => {
  it("biases and reserved codes of the families", () => {
    expect([2, 3, 4, 5].map((e) => Minifloat.biasOf(e))).toEqual([1, 3, 7, 15])
    expect([4, 5].map((e) => Minifloat.biasOf(e, "fnuz"))).toEqual([8, 16])
    expect(Minifloat.ocpReserved(8, 4, 3)).toEqual({ nanValues: ["111"] })
    expect(Minifloat.ocpReserved(8, 5, 2)).toEqual({ infValues: ["00"], nanValues: ["01", "11", "10"] })
    expect([Minifloat.ocpReserved(6, 3, 2), Minifloat.ocpReserved(8, 3, 4)]).toEqual([{}, {}])
  })
  it("the largest values that the specifications name", () => {
    const largest = [ocp(4, 3), ocp(5, 2), ocp(3, 2), ocp(2, 3), ocp(2, 1), format(4, 3, "fnuz"), format(5, 2, "fnuz")]
    expect(largest.map(Minifloat.maxAvailableFloat)).toEqual([448, 57344, 28, 7.5, 6, 240, 57344])
    expect(
      Minifloat.maxAvailableFloat({ ...format(5, 10), infValues: ["0000000000"], nanValues: ["1000000000"] })
    ).toBe(65504)
    expect(Minifloat.maxAvailableFloat({ ...format(3, 0) })).toBe(16)
  })
  it("codes in order have values in order, from zero by the smallest one to the largest one", () => {
    for (const one of [format(4, 3), format(5, 2), format(2, 1), format(3, 0), format(1, 2), format(4, 3, "fnuz")]) {
      const all = values(one)
      expect(all).toEqual([...all].sort((a, b) => a - b))
      expect(new Set(all).size).toBe(all.length)
      expect([all[0], all.at(-1)]).toEqual([0, Minifloat.maxAvailableFloat(one)])
      if (one.mantissaBitWidth > 0) expect(all[1]).toBe(Minifloat.minAvailableFloat(one))
    }
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Minifloat on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    const of = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>) =>
      tf.tidy(() => {
        const input = tf.tensor1d([...x])
        return {
          value: Array.from(f(input).dataSync()),
          gradient: Array.from(
            tf
              .grad((a: tf.Tensor) => f(a))(input, tf.onesLike(input))
              .dataSync()
          )
        } as never
      }) as { readonly value: ReadonlyArray<number>; readonly gradient: ReadonlyArray<number> }

    it("maxFloat is the value of the last code, infinite beyond float32", () => {
      for (const one of [format(4, 3), format(5, 2), format(2, 1), format(8, 7)]) {
        const { exponentBitWidth: e, mantissaBitWidth: m, exponentBias } = one
        const given = [e, Minifloat.maxMantissa(m), exponentBias].map((n) => tf.scalar(n)) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor
        ]
        const largest = tf.tidy(() => Number(Minifloat.maxFloat(...given).dataSync()[0]))
        expect(largest).toBe(e === 8 ? inf : values(one).at(-1))
        tf.dispose(given)
      }
    })
    it("nearest: every value stays, what lies between goes to the nearer one, midpoints to the even mantissa", () => {
      for (const one of [format(4, 3), format(5, 2), format(2, 1)]) {
        const all = values(one)
        const rounded = (x: ReadonlyArray<number>) => of((t) => Minifloat.nearest(t, one), x).value
        expect(rounded(all)).toEqual(all)
        expect(rounded(all.map((x) => -x))).toEqual(all.map((x) => -x))
        const pairs = all.slice(1).map((high, i) => [all[i] as number, high] as const)
        expect(rounded(pairs.map(([low, high]) => low + (high - low) * 0.49))).toEqual(pairs.map(([low]) => low))
        expect(rounded(pairs.map(([low, high]) => low + (high - low) * 0.51))).toEqual(pairs.map(([, high]) => high))
        expect(rounded(pairs.map(([low, high]) => (low + high) / 2))).toEqual(pairs.map((pair, i) => pair[i % 2]))
      }
    })
    it("nearest: NaN for infinities and NaN; the gradient is y / x, among subnormals that of the identity", () => {
      const e4m3 = format(4, 3)
      expect(of((t) => Minifloat.nearest(t, e4m3), [inf, minus, nan]).value).toEqual([nan, nan, nan])
      const x = [1.03, -300, 0.0101, 0.001, 0]
      const { value, gradient } = of((t) => Minifloat.nearest(t, e4m3), x)
      const expected = x.map((n, i) => (Math.abs(n) >= 2 ** -6 ? (value[i] as number) / n : 1))
      for (const [i, slope] of gradient.entries()) expect(slope).toBeCloseTo(expected[i] as number, 6)
    })
    it("internalScale: a step for every exponent; below 2^k it may be that of 2^k, as the float32 logarithm is", () => {
      const { value, gradient } = of(
        (t) => Minifloat.internalScale(t, 3, -9),
        [1, 1.99, -2, 7.9999995, 0, 1e-40, inf, nan]
      )
      expect(value).toEqual([1 / 8, 1 / 8, 1 / 4, 1, 2 ** -9, 2 ** -9, inf, nan])
      expect(gradient.map(Math.fround)).toEqual(
        [1 / 8, 1 / 8 / Math.fround(1.99), -1 / 8, 1 / Math.fround(7.9999995), 0, 0, nan, nan].map(Math.fround)
      )
    })
    it("overflowing: infinities with their sign or NaN, without a gradient", () => {
      const beyond = (infinite: boolean) =>
        of(
          (t) => Minifloat.overflowing(t, tf.tensor1d([-9, -2, 0, 2, 9, nan]), [tf.scalar(-2), tf.scalar(2)], infinite),
          [-2, -2, 0, 2, 2, nan]
        )
      expect(beyond(true)).toEqual({ value: [minus, -2, 0, 2, inf, nan], gradient: [0, 1, 1, 1, 0, 1] })
      expect(beyond(false).value).toEqual([nan, -2, 0, 2, nan, nan])
    })
  })

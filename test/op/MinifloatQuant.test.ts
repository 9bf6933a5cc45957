import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Minifloat from "../../src/op/Minifloat.ts"
import * as MinifloatQuant from "../../src/op/MinifloatQuant.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import * as Fused from "./Fused.ts"

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

interface Sample extends Fused.Sample {
  readonly exponentBits: number
  readonly mantissaBits: number
  readonly fnuz: boolean
  readonly signed: boolean
  readonly overflow: MinifloatQuant.Overflow
  readonly rounding: MinifloatQuant.Options["rounding"]
  readonly clampPasses: boolean
}

const formats = [
  [4, 3],
  [5, 2],
  [3, 2],
  [2, 3],
  [2, 1],
  [5, 10],
  [3, 0],
  [6, 14]
] as const

const sample: fc.Arbitrary<Sample> = fc
  .record({
    layout: Fused.layout,
    format: fc.constantFrom(...formats),
    fnuz: fc.boolean(),
    signed: fc.boolean(),
    overflow: fc.constantFrom<MinifloatQuant.Overflow[]>("saturate", "infinite", "nan"),
    rounding: fc.constantFrom<Sample["rounding"][]>("nearest", "nearest", "floor", "ceil", "toZero"),
    clampPasses: fc.boolean()
  })
  .map(({ layout, format: [exponentBits, mantissaBits], ...rest }) => ({
    ...layout,
    exponentBits,
    mantissaBits,
    ...rest
  }))

const optionsOf = (given: Sample): MinifloatQuant.Options => {
  const { exponentBits: e, mantissaBits: m, fnuz, signed, overflow, rounding, clampPasses } = given
  const exponentBias = Minifloat.biasOf(e, fnuz ? "fnuz" : "ocp")
  const format = { exponentBitWidth: e, mantissaBitWidth: m, exponentBias }
  const high = Minifloat.maxAvailableFloat({ ...format, ...Minifloat.ocpReserved(1 + e + m, e, m) })
  return { format, high, low: signed ? -high : 0, overflow, rounding, clampPasses }
}

/** Among the normal numbers, the subnormal ones, and beyond the largest one; values that logarithms in float32 round up; ties. */
const inputsOf = (given: Sample): Fused.Inputs => {
  const { format, high } = optionsOf(given)
  const step = 2 ** Minifloat.minExponent(format)
  const reach = [2, 8, high, 3 * high, 4 * step][given.seed % 5] as number
  const odd = [
    0,
    -0,
    nan,
    inf,
    -inf,
    1e-40,
    1e-45,
    3.4e38,
    -3.4028235e38,
    high,
    -high,
    1.5 * step,
    2.5 * step,
    -step / 2
  ]
  const near = Array.from({ length: 12 }, (_, i) => 2 ** ((i % 9) - 4) * (1 - ((i * 5) % 46) * 2 ** -24))
  return Fused.inputs(given, { reach, specials: [...odd, ...near, ...near.map((x) => -x)] })
}

const check = (given: Sample): void =>
  Fused.check({
    given,
    inputs: () => inputsOf(given),
    op: (x, scale) => MinifloatQuant.quantize(x, scale, optionsOf(given)),
    definition: (x, scale) => MinifloatQuant.composition(x, scale, optionsOf(given))
  })

describe("MinifloatQuant on wasm", () => {
  it("kernel = composition: value and dx to the bit, the sum for the scale to 1e-6 of its terms", () => {
    expect(tf.getKernel("BreveLevels", "wasm")).toBeDefined()
    fc.assert(fc.property(sample, check), { numRuns: 600 })
  })

  const plain: Sample = {
    shape: [6, 7],
    scaleAxes: [],
    seed: 1,
    special: true,
    powers: true,
    exponentBits: 4,
    mantissaBits: 3,
    fnuz: false,
    signed: true,
    overflow: "saturate",
    rounding: "nearest",
    clampPasses: false
  }

  it("the largest float32 saturates, also where the mantissa has no bits and the step is the power of two itself", () => {
    const largest = 2 ** 127 * (2 - 2 ** -23)
    for (const [exponentBits, mantissaBits] of formats)
      for (const overflow of ["saturate", "infinite"] as const)
        for (const rounding of ["nearest", "floor", "ceil", "toZero"] as const)
          tf.tidy(() => {
            const options = optionsOf({ ...plain, exponentBits, mantissaBits, overflow, rounding })
            const x = tf.tensor([largest, -largest, 1, 1, 1], [5])
            const beyond = overflow === "saturate" ? options.high : inf
            for (const of of [MinifloatQuant.quantize, MinifloatQuant.composition])
              expect([...of(x, tf.scalar(1), options).dataSync()].slice(0, 2)).toEqual([beyond, -beyond])
          })
  })

  it("every layout of one run of axes runs fused", () => {
    for (const scaleAxes of [[], [true], [false, true], [true, true]])
      tf.tidy(() => {
        const [x, scale] = inputsOf({ ...plain, scaleAxes })
        expect(Fused.kernels(() => MinifloatQuant.quantize(x, scale, optionsOf(plain)))).toEqual(["BreveLevels"])
      })
  })

  it("a format at the end of float32, a range that is no format's, and whole numbers take the composition", () =>
    tf.tidy(() => {
      const [x, scale] = inputsOf(plain)
      const known = optionsOf(plain)
      const wide = { ...known, format: { mantissaBitWidth: 7, exponentBias: 127 } }
      for (const options of [wide, { ...known, low: -3 }, { ...known, high: inf }])
        expect(Fused.kernels(() => MinifloatQuant.quantize(x, scale, options))).not.toContain("BreveLevels")
      const whole = tf.tensor([3, 19], [2], "int32")
      expect([...MinifloatQuant.quantize(whole, tf.scalar(1), known).dataSync()]).toEqual([3, 20])
    }))

  it("all values of the formats are their own", () =>
    tf.tidy(() => {
      for (const [exponentBits, mantissaBits] of formats.slice(0, 5)) {
        const given = { ...plain, exponentBits, mantissaBits }
        const { format, high } = optionsOf(given)
        const values = Array.from({ length: 2 ** (exponentBits + mantissaBits) }, (_, code) =>
          Minifloat.codeValue(
            (code >> mantissaBits).toString(2),
            (code % 2 ** mantissaBits).toString(2).padStart(mantissaBits, "0"),
            format.exponentBias
          )
        ).filter((value) => value <= high)
        const all = [...values, ...values.map((value) => -value)]
        expect(Fused.bits(MinifloatQuant.quantize(tf.tensor(all), tf.scalar(1), optionsOf(given)))).toEqual(
          Fused.bits(tf.tensor(all))
        )
      }
    }))

  it("leaks nothing, forward or backward", () => {
    const { numTensors, numDataBuffers } = tf.memory()
    for (const scaleAxes of [[], [true, false], [false, true]]) check({ ...plain, scaleAxes })
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers })
  })

  it("of nothing is nothing", () =>
    tf.tidy(() => {
      const { value, gradients } = Gradient.valueAndGradients(
        ([x, scale]) => MinifloatQuant.quantize(x as tf.Tensor, scale as tf.Tensor, optionsOf(plain)),
        [tf.zeros([0, 3]), tf.ones([1, 3])]
      )
      expect([value.shape, gradients[0]?.shape, [...(gradients[1]?.dataSync() ?? [])]]).toEqual([
        [0, 3],
        [0, 3],
        [0, 0, 0]
      ])
    }))
})

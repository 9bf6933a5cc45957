import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as FloatQuant from "../../src/core/FloatQuant.ts"
import * as FloatScaling from "../../src/core/FloatScaling.ts"
import { MSEScale } from "../../src/core/MeanSquaredError.ts"
import * as Restriction from "../../src/core/Restriction.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import type * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import * as View from "../../src/core/View.ts"
import * as Injector from "../../src/inject/Injector.ts"
import { ConstructionFailed } from "../../src/tensor/Errors.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number

const e4m3 = { bitWidth: 8, signed: true, exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: 7 }
const e5m2 = { bitWidth: 8, signed: true, exponentBitWidth: 5, mantissaBitWidth: 2, exponentBias: 15 }
const clamp = (more: Partial<Parameters<typeof FloatScaling.FloatClamp>[0]> = {}) =>
  FloatScaling.FloatClamp({ tensorClampImpl: Clamp.TensorClamp({}), signed: true, ...more })
const ocp = clamp({ nanValues: ["111"], maxAvailableFloat: 448 })

/** The value of a quantizer, and the gradient of x where 1 comes in. */
const at = (
  self: TensorQuantizer.TensorQuantizer,
  x: ReadonlyArray<number>,
  shape: ReadonlyArray<number> = [x.length]
) => {
  const input = tf.tensor([...x], [...shape])
  const value = tf.tidy(() => TensorQuantizer.quantize(self, input).value)
  const { gradients, value: sum } = Gradient.valueAndGradients(
    ([t]) => tf.sum(TensorQuantizer.quantize(self, t as tf.Tensor).value),
    [input]
  )
  const [gradient] = gradients
  const numbers = { value: Array.from(value.dataSync()), gradient: Array.from(gradient?.dataSync() ?? []) }
  tf.dispose([input, value, sum, ...gradients.flatMap((g) => (g === null ? [] : [g]))])
  return numbers
}

const stats = (scalingStatsImpl: Statistic.Statistic, more: object = {}) =>
  StatsScaling.StatsFromParameterScaling({
    scalingStatsImpl,
    scalingStatsInputViewShapeImpl: View.OverTensorView({}),
    scalingMinVal: 1e-10,
    ...more
  })

describe("formats", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  const reasonOf = (more: object): string => {
    try {
      Brick.dispose(FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp, ...more }))
    } catch (cause) {
      return String((cause as Error).message)
    }
    return "none"
  }
  it("a format whose parts are not its width, or cannot be, is refused", () => {
    expect(reasonOf({})).toBe("none")
    expect(reasonOf({ bitWidth: 7 })).toContain('"bitWidth" is 7, but exponent, mantissa and sign have 8 bits together')
    expect(reasonOf({ signed: false })).toContain("have 7 bits together")
    expect(reasonOf({ exponentBitWidth: 0, mantissaBitWidth: 7 })).toContain('"exponentBitWidth" is 0')
    expect(reasonOf({ mantissaBitWidth: -1, exponentBitWidth: 8 })).toContain('"mantissaBitWidth" is -1')
    expect(reasonOf({ exponentBitWidth: 3.5, mantissaBitWidth: 3.5 })).toContain("a whole number")
    expect(reasonOf({ bitWidth: 0 })).toContain('"bitWidth" is 0')
    expect(reasonOf({ bitWidth: 33, exponentBitWidth: 8, mantissaBitWidth: 24 })).toContain('"bitWidth" is 33')
    expect(reasonOf({ exponentBias: nan })).toContain('"exponentBias" is NaN')
    expect(reasonOf({ floatClampImpl: clamp({ nanValues: ["1111"] }) })).toContain('has "1111"')
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`FloatQuant on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("is printed part by part", () => {
      const named = (self: TensorQuantizer.TensorQuantizer) =>
        Object.entries(self.children).map(([name, { label }]) => `${name} ${label}`)
      const plain = FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: clamp() })
      const parts = [
        "bitWidth StatelessBuffer",
        "floatToIntImpl RoundSte",
        "exponentBitWidth StatelessBuffer",
        "mantissaBitWidth StatelessBuffer",
        "exponentBias StatelessBuffer",
        "fpInternalScaleMin StatelessBuffer",
        "inputViewImpl Identity",
        "zeroPointImpl StatelessBuffer",
        "scalingImpl ConstScaling",
        "floatClampImpl FloatClamp",
        "preComputeMaxMantissa StatelessBuffer"
      ]
      expect(named(plain)).toEqual(parts)
      const scaled = FloatQuant.FloatQuant({
        ...e4m3,
        floatClampImpl: ocp,
        floatScalingImpl: FloatScaling.FloatScaling({ maxAvailableFloat: 448 }),
        scalingImpl: stats(Statistic.AbsMax({}))
      })
      expect(named(scaled)).toEqual(
        parts.toSpliced(8, 1, "floatScalingImpl FloatScaling", "scalingImpl StatsFromParameterScaling")
      )
      expect(Object.keys(ocp.children)).toEqual(["tensorClampImpl", "maxAvailableFloat"])
      expect(Object.keys(clamp().children)).toEqual(["tensorClampImpl"])
      expect(scaled.float).toEqual({
        exponentBitWidth: 4,
        mantissaBitWidth: 3,
        exponentBias: 7,
        saturating: true,
        infValues: undefined,
        nanValues: ["111"]
      })
      Brick.dispose(plain)
      Brick.dispose(scaled)
    })

    it("saturates; infinities and NaN give NaN", () => {
      const self = FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp })
      expect(at(self, [1.06, -17, 460, 1e6, -1e6, 0, -0, 1e-40]).value).toEqual([1, -16, 448, 448, -448, 0, -0, 0])
      expect(at(self, [inf, minus, nan]).value).toEqual([nan, nan, nan])
      expect(at(self, [448, 1e6, -1e6, 0.001]).gradient).toEqual([1, 0, 0, 1])
      Brick.dispose(self)
    })
    it("without saturation what is beyond becomes infinite or NaN, and has no gradient", () => {
      const x = [500, -500, 449, 60000, -70000, nan, inf]
      const toNaN = FloatQuant.FloatQuant({
        ...e4m3,
        floatClampImpl: clamp({ nanValues: ["111"], maxAvailableFloat: 448, saturating: false })
      })
      expect(at(toNaN, x).value).toEqual([nan, nan, 448, nan, nan, nan, nan])
      expect(at(toNaN, x).gradient.slice(0, 2)).toEqual([0, 0])
      const codes = { infValues: ["00"], nanValues: ["01", "10", "11"], maxAvailableFloat: 57344 }
      const toInf = FloatQuant.FloatQuant({ ...e5m2, floatClampImpl: clamp({ ...codes, saturating: false }) })
      expect(at(toInf, x).value).toEqual([512, -512, 448, 57344, minus, nan, nan])
      expect(at(toInf, x).gradient[4]).toBe(0)
      for (const self of [toNaN, toInf]) Brick.dispose(self)
    })
    it("an unsigned format has no negative values", () => {
      const format = { ...e4m3, bitWidth: 7, signed: false }
      const self = FloatQuant.FloatQuant({ ...format, floatClampImpl: clamp({ signed: false }) })
      expect(at(self, [-3, 1.06, 500, -0.001])).toEqual({
        value: [0, 1, 480, 0],
        gradient: [0, expect.closeTo(1 / 1.06, 5), 0, 0]
      })
      Brick.dispose(self)
    })
    it("takes any rounding; the gradient of the grid follows it", () => {
      const self = (floatToIntImpl: Rounding.Rounding) =>
        FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp, floatToIntImpl })
      const x = [1.19, -1.19, 0.0149]
      const step = 2 ** -9
      for (const [rounding, value] of [
        [Rounding.FloorSte({}), [1.125, -1.25, 7 * step]],
        [Rounding.CeilSte({}), [1.25, -1.125, 8 * step]],
        [Rounding.RoundToZeroSte({}), [1.125, -1.125, 7 * step]]
      ] as const) {
        const quantizer = self(rounding)
        const found = at(quantizer, x)
        expect(found.value).toEqual(value)
        const slopes = [value[0] / 1.19, value[1] / -1.19, 1]
        for (const [i, slope] of found.gradient.entries()) expect(slope).toBeCloseTo(slopes[i] as number, 5)
        Brick.dispose(quantizer)
      }
    })
    it("what a rounding remembers is kept", () => {
      const apply = ({ memory }: Brick.State, x: tf.Tensor) =>
        [tf.round(x), { calls: Number(memory.calls) + 1 }] as const
      const floatToIntImpl = Brick.make("Counting", {}, { memory: { calls: 0 } }, { apply })
      const self = FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp, floatToIntImpl })
      const x = tf.tensor1d([1, 2])
      const state = { parameters: self.parameters, memory: self.memory, training: true }
      const after = tf.tidy(() => self.apply(state, x)[1] as never) as Brick.State["memory"]
      expect(after).toEqual({ floatToIntImpl: { calls: 1 } })
      x.dispose()
      Brick.dispose(self)
    })

    const scaled = (scalingImpl: Scaling.Scaling, inputViewImpl: View.View = View.identity) =>
      FloatQuant.FloatQuant({
        ...e4m3,
        floatClampImpl: ocp,
        floatScalingImpl: FloatScaling.FloatScaling({ maxAvailableFloat: 448 }),
        scalingImpl,
        inputViewImpl
      })
    it("all zeros stay zeros, and so does nothing at all", () => {
      const self = scaled(stats(Statistic.AbsMax({})))
      expect(at(self, [0, 0, 0]).value).toEqual([0, 0, 0])
      const plain = FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp })
      expect(at(plain, [], [0, 3])).toEqual({ value: [], gradient: [] })
      for (const each of [self, plain]) Brick.dispose(each)
    })
    it("groups: one power of two for each, answered in the shape of the input", () => {
      const restricted = {
        restrictScalingImpl: Restriction.PowerOfTwoRestrictValue({ restrictValueFloatToIntImpl: Rounding.FloorSte({}) })
      }
      const view = () => View.OverSubChannelBlockView({ groupSize: 2, groupDim: 1, expandedGroupwiseShape: [1, 2, 2] })
      const statistic = Statistic.AbsMax({ statsReduceDim: 2, keepdim: true })
      const self = scaled(
        stats(statistic, { scalingStatsInputViewShapeImpl: view(), scalingShape: [1, 2, 1], ...restricted }),
        view()
      )
      const x = tf.tensor2d([3, 1, 100], [1, 3])
      const answer = tf.tidy(() => {
        const { value, scale, grouped } = TensorQuantizer.quantize(self, x)
        return [value, scale, grouped?.scale as tf.Tensor]
      })
      expect(answer.map((t) => [t.shape, Array.from(t.dataSync())])).toEqual([
        [
          [1, 3],
          [3, 1, 96]
        ],
        [
          [1, 3],
          [2 ** -7, 2 ** -7, 2 ** -2]
        ],
        [
          [1, 2, 1],
          [2 ** -7, 2 ** -2]
        ]
      ])
      tf.dispose([x, ...answer])
      Brick.dispose(self)
    })
    it("a scale may be searched for: no worse than its first guess", () => {
      const view = View.OverTensorView({})
      const x = [0.11, -0.73, 1.9, -2.6, 40, 0.31]
      const errorOf = (self: TensorQuantizer.TensorQuantizer) =>
        at(self, x).value.reduce((sum, y, i) => sum + (y - (x[i] as number)) ** 2, 0)
      const searched = scaled(stats(MSEScale({ mseScaleInitOp: Statistic.AbsMax({}), mseInputViewShapeImpl: view })))
      const plain = scaled(stats(Statistic.AbsMax({})))
      expect(errorOf(searched)).toBeLessThanOrEqual(errorOf(plain))
      for (const self of [searched, plain]) Brick.dispose(self)
    })
    it("observing: the input is handed on, with the scale that it would have", () => {
      const self = scaled(stats(Statistic.AbsMax({})))
      const x = tf.tensor1d([0.3, -2])
      const state = { parameters: self.parameters, memory: self.memory, training: false, observing: true }
      const [value, scale] = tf.tidy(() => {
        const [answer] = self.apply(state, x)
        return [answer.value.clone(), answer.scale.clone()]
      }) as [tf.Tensor, tf.Tensor]
      expect(Array.from(value.dataSync())).toEqual([0.3, -2].map(Math.fround))
      expect(scale.dataSync()[0]).toBeCloseTo(2 / 448, 7)
      tf.dispose([x, value, scale])
      Brick.dispose(self)
    })
    it("a scale without a threshold has at least one axis; what was made is disposed", () => {
      const before = tf.memory().numTensors
      const self = FloatQuant.FloatQuant({ ...e4m3, floatClampImpl: ocp })
      expect(tf.memory().numTensors).toBeGreaterThan(before)
      const x = tf.scalar(1.3)
      const { value, scale, zeroPoint, bitWidth } = tf.tidy(
        () => TensorQuantizer.quantize(self, x) as never
      ) as TensorQuantizer.Quantized
      expect([value.shape, scale.shape, zeroPoint.shape, bitWidth.dataSync()[0]]).toEqual([[1], [1], [], 8])
      tf.dispose([x, value, scale])
      at(self, [1, 2, 3])
      Brick.dispose(self)
      expect(tf.memory().numTensors).toBe(before)
    })

    const declared = Injector.make("Fp8", {
      tensorQuant: FloatQuant.FloatQuant,
      floatClampImpl: FloatScaling.FloatClamp,
      tensorClampImpl: Clamp.TensorClamp,
      ...e4m3,
      nanValues: ["111"],
      maxAvailableFloat: 448
    })
    it("a declaration needs no more than the format; its tensors go with the Scope", async () => {
      const before = tf.memory().numTensors
      const found = await Effect.runPromise(
        Effect.scoped(Effect.map(Injector.resolve(declared, "tensorQuant"), (self) => at(self, [1.06, 500]).value))
      )
      expect(found).toEqual([1, 448])
      expect(tf.memory().numTensors).toBe(before)
    })
    it("a format that cannot be fails to resolve, and leaves nothing behind", async () => {
      const before = tf.memory().numTensors
      const wrong = Injector.let(declared, { exponentBitWidth: 5 })
      const failure = await Effect.runPromise(Effect.scoped(Effect.flip(Injector.resolve(wrong, "tensorQuant"))))
      expect(failure).toBeInstanceOf(ConstructionFailed)
      expect(failure.message).toContain("have 9 bits together")
      expect(tf.memory().numTensors).toBe(before)
    })
  })

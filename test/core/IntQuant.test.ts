import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { BinaryQuant, ClampedBinaryQuant } from "../../src/core/BinaryQuant.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as DecoupledIntQuant from "../../src/core/DecoupledIntQuant.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import { IntScaling } from "../../src/core/IntScaling.ts"
import * as PrescaledIntQuant from "../../src/core/PrescaledIntQuant.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import { ConstScaling, type Scaling } from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import { StatsFromParameterScaling } from "../../src/core/StatsScaling.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import { TernaryQuant } from "../../src/core/TernaryQuant.ts"
import { TruncIntQuant } from "../../src/core/TruncIntQuant.ts"
import { DynamicOverSubChannelBlockView } from "../../src/core/View.ts"
import { ZeroZeroPoint } from "../../src/core/ZeroPoint.ts"

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const never = { parameters: {}, memory: {}, training: false }
const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)

const range = { signed: true, narrowRange: false }
const parts = () => ({ floatToIntImpl: Rounding.RoundSte({}), tensorClampImpl: Clamp.TensorClamp({}), ...range })
const rescaling = (scalingImpl: Scaling, more: object = {}): TensorQuantizer.TensorQuantizer =>
  IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant({ ...parts(), ...more }),
    scalingImpl,
    intScalingImpl: IntScaling(range),
    zeroPointImpl: ZeroZeroPoint({}),
    bitWidthImpl: BitWidthConst({ bitWidth: 4 })
  })
const absMax = (scalingMinVal?: number): Scaling =>
  StatsFromParameterScaling({ scalingStatsImpl: Statistic.AbsMax({}), scalingMinVal })
const half = (): Scaling => ConstScaling({ scalingInit: 0.5 })
const decoupled = (): TensorQuantizer.TensorQuantizer =>
  DecoupledIntQuant.DecoupledRescalingIntQuant({
    decoupledIntQuant: DecoupledIntQuant.DecoupledIntQuant(parts()),
    preScalingImpl: half(),
    scalingImpl: ConstScaling({ scalingInit: 1 }),
    intScalingImpl: IntScaling(range),
    preZeroPointImpl: ZeroZeroPoint({}),
    zeroPointImpl: ZeroZeroPoint({}),
    bitWidthImpl: BitWidthConst({ bitWidth: 4 })
  })
const bias = (): TensorQuantizer.TensorQuantizer =>
  PrescaledIntQuant.PrescaledRestrictIntQuant({
    intQuant: IntQuant.IntQuant(parts()),
    bitWidthImpl: BitWidthConst({ bitWidth: 4 })
  })
const truncation = (): TensorQuantizer.TensorQuantizer =>
  TruncIntQuant({ floatToIntImpl: Rounding.FloorSte({}), bitWidthImpl: BitWidthConst({ bitWidth: 4 }) })
const outside = () => ({ scale: tf.scalar(0.5), zeroPoint: tf.scalar(0), bitWidth: tf.scalar(8), signed: true })

/** Every kind of quantizer with the format of an input. */
const kinds: Readonly<Record<string, () => TensorQuantizer.TensorQuantizer>> = {
  RescalingIntQuant: () => rescaling(half()),
  DecoupledRescalingIntQuant: decoupled,
  PrescaledRestrictIntQuant: bias,
  TruncIntQuant: truncation,
  BinaryQuant: () => BinaryQuant({ scalingImpl: half() }),
  ClampedBinaryQuant: () => ClampedBinaryQuant({ scalingImpl: half() }),
  TernaryQuant: () => TernaryQuant({ scalingImpl: half(), threshold: 0.5 })
}

const answered = (self: TensorQuantizer.TensorQuantizer, x: tf.Tensor): tf.Tensor =>
  TensorQuantizer.quantize(self, x, true, outside()).value

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`kinds of quantizers on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    for (const [kind, build] of Object.entries(kinds)) {
      it(`${kind}: NaN stays NaN, infinities become finite, an empty tensor stays empty, and nothing leaks`, () => {
        const before = tf.memory().numTensors
        const self = build()
        tf.tidy(() => {
          const value = numbers(answered(self, tf.tensor1d([nan, inf, -inf, 0])))
          expect(value[0]).toBe(nan)
          expect(value.slice(1).every(Number.isFinite)).toBe(true)
          expect([value[1], value[2]].map((y) => Math.sign(y as number))).toEqual([1, -1])
          for (const shape of [[0], [0, 3]]) expect(answered(self, tf.zeros(shape)).shape).toEqual(shape)
        })
        Brick.dispose(self)
        expect(tf.memory().numTensors).toBe(before)
      })
    }

    it("an all-zero tensor gives zeros if its scale has a minimum, else NaN", () =>
      void tf.tidy(() => {
        const [sound, broken] = [rescaling(absMax(1e-10)), rescaling(absMax())].map((self) =>
          numbers(answered(self, tf.zeros([3])))
        )
        expect([sound, broken]).toEqual([
          [0, 0, 0],
          [nan, nan, nan]
        ])
      }))

    it("a scale 0 gives 0, and NaN where x is 0", () =>
      void tf.tidy(() => {
        const x = tf.tensor1d([1, -1, 0])
        const y = IntQuant.IntQuant(parts()).apply(never, x, tf.scalar(0), tf.scalar(0), tf.scalar(4))[0]
        expect(numbers(y)).toEqual([0, 0, nan])
      }))

    it("toInt: the integers alone, NaN among them", () =>
      void tf.tidy(() => {
        const grid = { scale: tf.scalar(0.5), zeroPoint: tf.scalar(1), bitWidth: tf.scalar(3) }
        const x = tf.tensor1d([nan, -9, 0.4, 9])
        expect(numbers(IntQuant.IntQuant(parts()).toInt(never, x, grid)[0])).toEqual([nan, -4, 2, 3])
      }))

    it("observing: hands the input on, grouped or not, and still answers the scale; a delay does not count it", () =>
      void tf.tidy(() => {
        const inputViewImpl = DynamicOverSubChannelBlockView({ groupSize: 2, groupDim: 0 })
        const x = tf.tensor1d([0.3, -7, 0.1])
        for (const more of [{ quantDelaySteps: 1 }, { inputViewImpl }]) {
          const self = rescaling(absMax(), more)
          const state = { parameters: self.parameters, memory: self.memory, training: true, observing: true }
          const [{ value, scale }, memory] = self.apply(state, x)
          expect([numbers(value), numbers(scale)]).toEqual([numbers(x), [0.875]])
          expect(memory).toBe(self.memory)
        }
      }))

    it("decoupled: rounds with one grid, comes back with the other", () =>
      void tf.tidy(() => {
        const { value, scale, preScale } = TensorQuantizer.quantize(decoupled(), tf.tensor1d([-9, -0.2, 0.1, 9]))
        // preScale 1/16, scale 1/8; x / preScale = [-144, -3.2, 1.6, 144]
        expect([scale, preScale].map((t) => numbers(t as tf.Tensor))).toEqual([[0.125], [0.0625]])
        expect(numbers(value)).toEqual([-1, -0.375, 0.25, 0.875])
      }))

    it("decoupled with input: the scale for rounding is asked with the width and sign of the input", () =>
      void tf.tidy(() => {
        const asked: Array<unknown> = []
        const preScalingImpl: DecoupledIntQuant.PreScalingWithInput = Brick.make(
          "Asked",
          {},
          {},
          {
            apply: (_: Brick.State, __: tf.Tensor, width: tf.Tensor, signed: boolean) => {
              asked.push([numbers(width)[0], signed])
              return [tf.scalar(8), {}] as const
            }
          }
        )
        const self = DecoupledIntQuant.DecoupledRescalingIntQuantWithInput({
          decoupledIntQuant: DecoupledIntQuant.DecoupledIntQuant(parts()),
          preScalingImpl,
          scalingImpl: ConstScaling({ scalingInit: 8 }),
          intScalingImpl: IntScaling(range),
          preZeroPointImpl: ZeroZeroPoint({}),
          zeroPointImpl: ZeroZeroPoint({}),
          bitWidthImpl: BitWidthConst({ bitWidth: 4 })
        })
        const external = { bitWidth: tf.scalar(8), signed: false }
        expect(numbers(TensorQuantizer.quantize(self, tf.tensor1d([3.2]), true, external).value)).toEqual([3])
        expect(asked).toEqual([[8, false]])
        expect(TensorQuantizer.checked(self, { signed: true })?.missing).toEqual(["bitWidth"])
      }))

    it("truncation: a format of its own, also with a zero-point and with more bits than before", () =>
      void tf.tidy(() => {
        const external = { ...outside(), zeroPoint: tf.scalar(16), signed: false }
        const self = truncation()
        const { value, scale, zeroPoint } = TensorQuantizer.quantize(self, tf.tensor1d([-8, 0, 9, 500]), true, external)
        // integers [0, 16, 34, 1016], by 16: [0, 1, 2, 15]
        expect([scale, zeroPoint].map(numbers)).toEqual([[8], [1]])
        expect(numbers(value)).toEqual([-8, 0, 8, 112])
        const wider = TensorQuantizer.quantize(self, tf.tensor1d([0.5]), true, { ...outside(), bitWidth: tf.scalar(2) })
        expect([wider.scale, wider.value].map(numbers)).toEqual([[0.125], [0.5]])
      }))

    it("ternary: beyond the threshold, strictly; the gradient is the scale there", () =>
      void tf.tidy(() => {
        const self = TernaryQuant({ scalingImpl: half(), threshold: 0.5 })
        const x = tf.tensor1d([-3, -0.25, 0.25, 0.3])
        expect(numbers(answered(self, x))).toEqual([-0.5, 0, 0, 0.5])
        expect(numbers(tf.grad((t: tf.Tensor) => tf.sum(answered(self, t)))(x))).toEqual([0.5, 0, 0, 0.5])
      }))

    it("a clamp that writes leaves the clamped input, another one leaves none", () =>
      void tf.tidy(() => {
        const x = tf.tensor1d([-2, 0.1, 3])
        const quantized = (tensorClampImpl: Clamp.Clamp) =>
          TensorQuantizer.quantize(ClampedBinaryQuant({ scalingImpl: half(), tensorClampImpl }), x)
        expect(numbers(quantized(Clamp.InplaceTensorClampSte({})).input as tf.Tensor)).toEqual([
          -0.5,
          Math.fround(0.1),
          0.5
        ])
        expect(quantized(Clamp.TensorClampSte({})).input).toBe(undefined)
      }))
  })

describe("what a quantizer needs", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("is known of it, and what is missing is named", () => {
    const self = truncation()
    expect(TensorQuantizer.checked(rescaling(half()))).toBe(undefined)
    tf.tidy(() => {
      expect(TensorQuantizer.checked(self, outside())).toBe(undefined)
    })
    const missing = TensorQuantizer.checked(self, { signed: true }, "TruncTo8bit")
    expect(missing).toMatchObject({
      _tag: "MissingInput",
      quantizer: "TruncTo8bit",
      missing: ["scale", "zeroPoint", "bitWidth"]
    })
    expect(missing?.message).toContain(
      "TruncTo8bit needs scale, zeroPoint, bitWidth from outside; hand it a quant tensor"
    )
    expect(() => TensorQuantizer.quantize(bias(), tf.scalar(1))).toThrow("PrescaledRestrictIntQuant needs scale")
    Brick.dispose(self)
  })

  it("options that cannot be are refused", () => {
    expect(() => IntQuant.IntQuant({ ...parts(), quantDelaySteps: 1.5 })).toThrow('"quantDelaySteps" is not whole: 1.5')
    expect(() => TernaryQuant({ scalingImpl: half(), threshold: nan })).toThrow('"threshold" is not a number: NaN')
    expect(() => BinaryQuant({ scalingImpl: half(), signed: false })).toThrow("binary quantization is signed")
  })
})

describe("cpu and wasm", () => {
  it("every kind gives the same bits", async () => {
    const backends: Array<string> = []
    const x = Array.from({ length: 257 }, (_, i) => Math.fround(Math.sin(i * 12.9898) * 4))
    const on = (start: typeof Backend.cpu | typeof Backend.layer) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.provide(
            Effect.sync(() => {
              backends.push(tf.getBackend())
              return Object.values(kinds).map((build) => {
                const self = build()
                const input = tf.tensor1d(x)
                const value = tf.tidy(() => answered(self, input))
                const bits = Array.from(value.dataSync())
                tf.dispose([input, value])
                Brick.dispose(self)
                return bits
              })
            }),
            start as typeof Backend.cpu,
            { local: true }
          )
        )
      )
    expect(await on(Backend.cpu)).toEqual(await on(Backend.layer))
    expect(backends).toEqual(["cpu", "wasm"])
  })
})

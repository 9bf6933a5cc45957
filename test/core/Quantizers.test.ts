import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BinaryQuant from "../../src/core/BinaryQuant.ts"
import { BitWidthConst } from "../../src/core/BitWidth.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as Delay from "../../src/core/Delay.ts"
import * as IntQuant from "../../src/core/IntQuant.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as RuntimeScaling from "../../src/core/RuntimeScaling.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as StatsScaling from "../../src/core/StatsScaling.ts"
import * as TensorQuantizer from "../../src/core/TensorQuantizer.ts"
import { ZeroZeroPoint } from "../../src/core/ZeroPoint.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import * as Tree from "../../src/tensor/Tree.ts"

const numbers = (t: tf.Tensor | null | undefined): ReadonlyArray<number> | null =>
  t === null || t === undefined ? null : Array.from(t.dataSync(), (y) => y + 0)
const near = (actual: ReadonlyArray<number> | null, expected: ReadonlyArray<number>): void => {
  expect(actual?.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, 5)
}

/** The value of `f`, and the gradients of its inputs where `dy` comes in. */
const at = (
  f: (...inputs: ReadonlyArray<tf.Tensor>) => tf.Tensor,
  dy: ReadonlyArray<number>,
  inputs: ReadonlyArray<tf.Tensor>
) => {
  const value = tf.tidy(() => f(...inputs))
  const { gradients, value: sum } = Gradient.valueAndGradients(
    (given) => tf.sum(tf.mul(f(...given), tf.tensor1d([...dy]))),
    inputs
  )
  const answer = { value: numbers(value), gradients: gradients.map(numbers) }
  tf.dispose([value, sum, ...gradients.flatMap((g) => (g === null ? [] : [g])), ...inputs])
  return answer
}

/** A quantizer as a function of x and of its one parameter. */
const learned =
  (self: TensorQuantizer.TensorQuantizer) =>
  (x: tf.Tensor, value: tf.Tensor): tf.Tensor => {
    const parameters = Tree.map(self.parameters, () => value)
    return tf.tidy(() => self.apply({ parameters, memory: self.memory, training: true }, x)[0].value)
  }

const never = { parameters: {}, memory: {}, training: false }
const range = { signed: true, narrowRange: false }
const int = (clamp: Clamp.Clamp, unsigned = false) =>
  IntQuant.IntQuant({
    floatToIntImpl: Rounding.RoundSte({}),
    tensorClampImpl: clamp,
    ...range,
    signed: !unsigned
  })
const rescaling = (scalingImpl: Scaling.Scaling) =>
  IntQuant.RescalingIntQuant({
    intQuant: int(Clamp.TensorClamp({})),
    scalingImpl,
    intScalingImpl: IntScaling.IntScaling(range),
    zeroPointImpl: ZeroZeroPoint({}),
    bitWidthImpl: BitWidthConst({ bitWidth: 3 })
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`quantizers on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("BinaryQuant: the sign times the scale; dscale is the sum of dy and the signs", () => {
      const self = BinaryQuant.BinaryQuant({ scalingImpl: Scaling.ParameterScaling({ scalingInit: 0.5 }) })
      const { value, gradients } = at(
        (x, s) => learned(self)(x as tf.Tensor, s as tf.Tensor),
        [1, 2, 3, 5],
        [tf.tensor1d([-1, 0, 0.2, -0.3]), tf.scalar(0.5)]
      )
      expect(value).toEqual([-0.5, 0.5, 0.5, -0.5])
      expect(gradients).toEqual([[0.5, 1, 1.5, 2.5], [-1]])
      Brick.dispose(self)
    })

    it("ClampedBinaryQuant: beyond the scale the gradient goes to the scale; on it, to x", () => {
      const self = BinaryQuant.ClampedBinaryQuant({ scalingImpl: Scaling.ParameterScaling({ scalingInit: 0.5 }) })
      const { value, gradients } = at(
        (x, s) => learned(self)(x as tf.Tensor, s as tf.Tensor),
        [1, 2, 3, 5],
        [tf.tensor1d([-1, 0.5, 0.2, -0.3]), tf.scalar(0.5)]
      )
      expect(value).toEqual([-0.5, 0.5, 0.5, -0.5])
      expect(gradients).toEqual([[0, 1, 1.5, 2.5], [-1.5]])
      Brick.dispose(self)
    })

    it("binary quantization answers one bit, a zero-point 0 and a scale of one axis, and refuses to be unsigned", () => {
      const scalingImpl = Scaling.ConstScaling({ scalingInit: 0.25 })
      const self = BinaryQuant.BinaryQuant({ scalingImpl })
      const x = tf.scalar(-3)
      const made = tf.tidy(() => {
        const { value, scale, zeroPoint, bitWidth } = TensorQuantizer.quantize(self, x)
        return { shapes: [value.shape, scale.shape], all: [value, scale, zeroPoint, bitWidth].map(numbers) } as never
      }) as { shapes: unknown; all: unknown }
      expect(made).toEqual({ shapes: [[1], [1]], all: [[-0.25], [0.25], [0], [1]] })
      expect(() => BinaryQuant.BinaryQuant({ scalingImpl, signed: false })).toThrow("signed")
      x.dispose()
      Brick.dispose(self)
    })

    const inputs = (...x: ReadonlyArray<number>) => [tf.tensor1d([...x]), tf.scalar(0.5), tf.scalar(0), tf.scalar(3)]
    const applied =
      (self: IntQuant.IntQuant) =>
      (...given: ReadonlyArray<tf.Tensor>) => {
        const [x, scale, zeroPoint, bits] = given as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
        return self.apply(never, x, scale, zeroPoint, bits)[0]
      }

    it("IntQuant: values and the gradients of x, scale, zero-point and width", () => {
      const { value, gradients } = at(applied(int(Clamp.TensorClamp({}))), [1, 2, 3, 4], inputs(-3, -0.3, 0.6, 5))
      // x / scale = [-6, -0.6, 1.2, 10], q = [-4, -1, 1, 3]
      expect(value).toEqual([-2, -0.5, 0.5, 1.5])
      expect(gradients[0]).toEqual([0, 2, 3, 0])
      near(gradients[1] ?? null, [-4 + 2 * -0.4 + 3 * -0.2 + 4 * 3])
      near(gradients[2] ?? null, [-0.5 * (1 + 4)])
      near(gradients[3] ?? null, [0.5 * 4 * Math.LN2 * (-1 + 4)])
    })

    it("IntQuant with the straight-through clamp: dx = dy, nothing to the width", () => {
      const { value, gradients } = at(applied(int(Clamp.TensorClampSte({}))), [1, 2, 3, 4], inputs(-3, -0.3, 0.6, 5))
      expect(value).toEqual([-2, -0.5, 0.5, 1.5])
      expect(gradients[0]).toEqual([1, 2, 3, 4])
      near(gradients[1] ?? null, [2 + 2 * -0.4 + 3 * -0.2 + 4 * -7])
      near(gradients[2] ?? null, [0])
      expect(gradients[3]).toBe(null)
    })

    it("IntQuant: outside is decided after rounding, and the zero-point shifts the range", () => {
      const { value, gradients } = at(applied(int(Clamp.TensorClamp({}))), [1, 1, 1, 1], inputs(1.7, 1.8, -2.2, -2.3))
      // x / scale = [3.4, 3.6, -4.4, -4.6]
      expect(value).toEqual([1.5, 1.5, -2, -2])
      expect(gradients[0]).toEqual([1, 0, 1, 0])
      const [x, scale, , bits] = inputs(-2, 0.4, 9) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
      const shifted = tf.tidy(() => applied(int(Clamp.TensorClamp({}), true))(x, scale, tf.scalar(2), bits))
      // x / scale + 2 = [-2, 2.8, 20], q = [0, 3, 7]
      expect(numbers(shifted)).toEqual([-1, 0.5, 2.5])
      tf.dispose([x, scale, bits, shifted])
    })

    it("RescalingIntQuant: the scale is the learned value over the integer threshold", () => {
      const self = rescaling(Scaling.ParameterScaling({ scalingInit: 2 }))
      const { value, gradients } = at(
        (x, s) => learned(self)(x as tf.Tensor, s as tf.Tensor),
        [1, 2, 3, 4],
        [tf.tensor1d([-3, -0.3, 0.6, 5]), tf.scalar(2)]
      )
      expect(value).toEqual([-2, -0.5, 0.5, 1.5])
      expect(gradients[0]).toEqual([0, 2, 3, 0])
      near(gradients[1] ?? null, [6.6 / 4])
      Brick.dispose(self)
    })

    it("a scale from statistics sends its gradient into x", () => {
      const self = rescaling(StatsScaling.StatsFromParameterScaling({ scalingStatsImpl: Statistic.AbsMax({}) }))
      const { value, gradients } = at(
        (x) => tf.tidy(() => TensorQuantizer.quantize(self, x as tf.Tensor).value),
        [1, 2, 3],
        [tf.tensor1d([-2, -0.3, 0.6])]
      )
      // scale 2 / 4; dscale = 2 (-1 + 0.6) + 3 (1 - 1.2) = -1.4, and a quarter of it goes to the largest magnitude, negated
      expect(value).toEqual([-2, -0.5, 0.5])
      near(gradients[0] ?? null, [1 + 1.4 / 4, 2, 3])
      Brick.dispose(self)
    })

    it("Delay: as many calls as it was told answer x, in training and in evaluation", () => {
      const [x, y] = [tf.scalar(1), tf.scalar(2)]
      const self = Delay.make(2)
      const answers = [true, false, true, false].reduce<{ memory: Tree.Memory; seen: ReadonlyArray<tf.Tensor> }>(
        ({ memory, seen }, training) => {
          const [answer, after] = self.apply({ parameters: {}, memory, training }, x, y)
          return { memory: after, seen: [...seen, answer] }
        },
        { memory: self.memory, seen: [] }
      )
      expect(answers.seen).toEqual([x, x, y, y])
      expect(answers.memory).toEqual({ remaining: 0 })
      expect(self.memory).toEqual({ remaining: 2 })
      expect(Delay.make(0).apply(never, x, y)[0]).toBe(y)
      tf.dispose([x, y])
    })

    it("QuantTensor: the integers, and whether the value lies on the grid of its format", () => {
      const made = (value: ReadonlyArray<number>, bits: number, signed: boolean, z = 0) =>
        QuantTensor.make({
          value: tf.tensor1d([...value]),
          scale: tf.scalar(0.5),
          zeroPoint: tf.scalar(z),
          bitWidth: tf.scalar(bits),
          signed,
          training: false
        })
      tf.tidy(() => {
        const steps = QuantTensor.int(made([-1, 0.5, 1.5], 3, true))
        expect([steps.dtype, numbers(steps)]).toEqual(["int32", [-2, 1, 3]])
        expect(numbers(QuantTensor.int(made([-1, 0.5], 3, false, 2)))).toEqual([0, 3])
        const valid = (...given: Parameters<typeof made>) => QuantTensor.isValid(made(...given))
        expect([valid([-2, 1.5], 3, true), valid([-2.5], 3, true), valid([2], 3, true)]).toEqual([true, false, false])
        expect([valid([0, 3.5], 3, false), valid([4], 3, false), valid([-0.5], 3, false)]).toEqual([true, false, false])
        expect([valid([0.501], 3, true), valid([0.6], 3, true), valid([Number.NaN], 3, true)]).toEqual([
          true,
          false,
          false
        ])
        expect([valid([-1, 2.5], 3, false, 2), valid([3], 3, false, 2)]).toEqual([true, false])
        expect([valid([-0.5, 0.5], 1, true), valid([0], 1, true)]).toEqual([true, false])
      })
    })
  })

describe("Brick", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("shows the tree, and lists its parts", () => {
    const self = BinaryQuant.BinaryQuant({ scalingImpl: Brick.shown("ConstScaling") as Scaling.Scaling })
    expect(Brick.show(self)).toBe(`BinaryQuant(
  (scalingImpl): ConstScaling()
  (bitWidth): BitWidthConst(
    (bitWidth): StatelessBuffer()
  )
  (zeroPoint): StatelessBuffer()
  (delayWrapper): DelayWrapper(
    (delayImpl): _NoDelay()
  )
)`)
    expect(Brick.parts(self).slice(0, 4)).toEqual([
      ["", "BinaryQuant"],
      ["scalingImpl", "ConstScaling"],
      ["bitWidth", "BitWidthConst"],
      ["bitWidth.bitWidth", "StatelessBuffer"]
    ])
    Brick.dispose(self)
  })

  it("dispose releases a quantizer that was wired by hand, with all its parts", () => {
    const before = tf.memory().numTensors
    const learning = rescaling(
      RuntimeScaling.ParameterFromRuntimeStatsScaling({ scalingStatsImpl: Statistic.AbsMax({}), collectStatsSteps: 3 })
    )
    const self = BinaryQuant.ClampedBinaryQuant({ scalingImpl: Scaling.ParameterScaling({ scalingInit: 1 }) })
    expect(tf.memory().numTensors).toBeGreaterThan(before)
    expect(Tree.leaves(learning.parameters).map(([name]) => name)).toEqual(["scalingImpl.value"])
    expect(Tree.leaves(learning.memory).map(([name]) => name)).toEqual(["scalingImpl.buffer", "scalingImpl.counter"])
    Brick.dispose(learning)
    Brick.dispose(self)
    expect(tf.memory().numTensors).toBe(before)
  })

  it("remembered: the same object where no part changed its memory", () => {
    const [inner, before] = [{ remaining: 2 }, { a: { remaining: 2 } }]
    expect(Brick.remembered(before, { a: before.a, b: {} })).toBe(before)
    expect(Brick.remembered(before, { a: { remaining: 1 }, b: {} })).toEqual({ a: { remaining: 1 } })
    expect(Brick.remembered(before, { a: inner })).toEqual(before)
  })
})

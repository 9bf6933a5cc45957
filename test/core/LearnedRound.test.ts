import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as LearnedRound from "../../src/core/LearnedRound.ts"
import * as Rounding from "../../src/core/Rounding.ts"
import * as View from "../../src/core/View.ts"
import { InvalidOptions } from "../../src/tensor/Errors.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import { tidied } from "../reference/replay/Numbers.ts"

const impls = {
  hardSigmoid: () => LearnedRound.LearnedRoundHardSigmoid({}),
  sigmoid: () => LearnedRound.LearnedRoundSigmoid({}),
  identity: () => LearnedRound.LearnedRoundIdentity({})
}
const numbers = (t: tf.Tensor): ReadonlyArray<number> => Array.from(t.dataSync(), (y) => y + 0)

/** A learned rounding of x, with everything that was made disposed. */
const rounded = (
  impl: LearnedRound.LearnedRoundImpl,
  x: ReadonlyArray<number>,
  p: ReadonlyArray<number>,
  training: boolean
): ReadonlyArray<number> =>
  tidied(() => {
    const brick = LearnedRound.LearnedRoundSte({ learnedRoundImpl: impl, learnedRoundInit: tf.tensor1d([...p]) })
    const state = { parameters: brick.parameters, memory: brick.memory, training }
    return numbers(brick.apply(state, tf.tensor1d([...x]))[0])
  })

const real = fc.float({ noNaN: true, min: -30, max: 30 })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`learned rounding on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    for (const [name, make] of Object.entries(impls)) {
      it(`${name}: never falls with its parameter, and in evaluation is whole and next to x`, () => {
        const impl = make()
        fc.assert(
          fc.property(real, real, real, (x, a, b) => {
            const p = [Math.min(a, b), Math.max(a, b)]
            const [low, high] = rounded(impl, [x, x], p, true) as [number, number]
            const hard = rounded(impl, [x, x], p, false) as [number, number]
            return low <= high && hard[0] <= hard[1] && hard.every((y) => Number.isInteger(y) && Math.abs(y - x) <= 1)
          }),
          { numRuns: 60 }
        )
        Brick.dispose(impl)
      })
    }
    it("the initial parameters of the hard sigmoid give back the float values, and evaluate to the nearest integers", () => {
      const impl = impls.hardSigmoid()
      const x = [0.1, 0.45, 0.9, -1.3, -0.2, 3]
      const p = tidied(() => numbers(LearnedRound.initialOf(impl, tf.tensor1d(x))))
      for (const [i, y] of rounded(impl, x, p, true).entries()) expect(y).toBeCloseTo(x[i] as number, 5)
      expect(rounded(impl, x, p, false)).toEqual([0, 0, 1, -1, 0, 3])
    })
    it("the sigmoid begins with the same parameters, the identity with 0", () => {
      const fraction = tf.tensor1d([0, 0.25, 0.75])
      const initial = (make: () => LearnedRound.LearnedRoundImpl) => {
        const impl = make()
        const found = tidied(() => numbers(LearnedRound.initialOf(impl, fraction)))
        Brick.dispose(impl)
        return found
      }
      expect(initial(impls.sigmoid)).toEqual(initial(impls.hardSigmoid))
      expect(initial(impls.identity)).toEqual([0, 0, 0])
      fraction.dispose()
    })
    it("a zero-point goes to the nearest integer: the parameters belong to the elements", () => {
      const brick = LearnedRound.LearnedRoundSte({
        learnedRoundImpl: impls.sigmoid(),
        learnedRoundInit: tf.tensor1d([9, 9, 9])
      })
      expect(tidied(() => numbers(Rounding.rounded(brick, tf.scalar(1.2))))).toEqual([1])
      Brick.dispose(brick)
    })
    it("looks at its parameters through the view of the input; the tree is printed as known", () => {
      const learnedRoundInit = tf.tensor2d([[5, -5, 5, -5, 5]])
      const brick = LearnedRound.LearnedRoundSte({
        learnedRoundImpl: impls.identity(),
        learnedRoundInit,
        inputViewImpl: View.OverSubChannelBlockView({ groupSize: 4, groupDim: 1, expandedGroupwiseShape: [1, 2, 4] })
      })
      learnedRoundInit.dispose()
      tidied(() => {
        const state = { parameters: brick.parameters, memory: brick.memory, training: true }
        const [y] = brick.apply(state, tf.fill([1, 2, 4], 0.25))
        expect(y.shape).toEqual([1, 2, 4])
        expect(numbers(y)).toEqual([1, 0, 1, 0, 1, 0, 0, 0])
        expect(() => brick.apply(state, tf.zeros([3]))).toThrow()
      })
      expect(Brick.parts(brick).slice(0, 5)).toEqual([
        ["", "LearnedRoundSte"],
        ["learnedRoundImpl", "LearnedRoundIdentity"],
        ["learnedRoundImpl.tensorClamp", "TensorClampSte"],
        ["tensorSlicer", "SliceTensor"],
        ["inputViewImpl", "OverSubChannelBlockView"]
      ])
      Brick.dispose(brick)
    })
    it("in training a gradient reaches the parameters, in evaluation none; nothing leaks", () => {
      const before = tf.memory().numTensors
      const slope = (training: boolean) =>
        tidied(() => {
          const brick = LearnedRound.LearnedRoundSte({
            learnedRoundImpl: impls.hardSigmoid(),
            learnedRoundInit: tf.tensor1d([0, 20])
          })
          const { gradients } = Gradient.valueAndGradients(
            ([value]) =>
              brick.apply(
                { parameters: { value: value as tf.Tensor }, memory: {}, training },
                tf.tensor1d([0.5, 0.5])
              )[0],
            [brick.parameters.value as tf.Tensor]
          )
          return gradients[0] ? numbers(gradients[0]).map((d) => Math.round(d * 1e6) / 1e6) : null
        })
      expect(slope(true)).toEqual([0.3, 0])
      expect(slope(false)).toBeNull()
      const learnedRoundInit = tf.zeros([2])
      Brick.dispose(LearnedRound.LearnedRoundSte({ learnedRoundImpl: impls.identity(), learnedRoundInit }))
      learnedRoundInit.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })
    it("NaN in x or a parameter stays NaN", () => {
      for (const make of Object.values(impls))
        for (const training of [true, false]) {
          const impl = make()
          expect(rounded(impl, [Number.NaN, 0.5], [0, Number.NaN], training)).toEqual([Number.NaN, Number.NaN])
          Brick.dispose(impl)
        }
    })
    it("options that cannot be are refused", () => {
      expect(() => LearnedRound.LearnedRoundHardSigmoid({ learnedRoundZeta: 0.9 })).toThrow(InvalidOptions)
      expect(() => LearnedRound.LearnedRoundHardSigmoid({ learnedRoundGamma: 0.1 })).toThrow(InvalidOptions)
      for (const learnedRoundTemperature of [0, Number.NaN, Number.POSITIVE_INFINITY])
        expect(() => LearnedRound.LearnedRoundSigmoid({ learnedRoundTemperature })).toThrow(InvalidOptions)
      expect(() => LearnedRound.LearnedRoundIdentity({ learnedRoundBound: -1 })).toThrow(InvalidOptions)
    })
  })

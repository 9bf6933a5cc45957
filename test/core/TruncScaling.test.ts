import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as IntScaling from "../../src/core/IntScaling.ts"
import * as RuntimeScaling from "../../src/core/RuntimeScaling.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as TruncScaling from "../../src/core/TruncScaling.ts"

const never = { parameters: {}, memory: {}, training: false }
const number = (t: tf.Tensor): number => (t.dataSync()[0] as number) + 0
const wrapper = (scalingInit: number) =>
  TruncScaling.TruncScalingWrapper({
    truncIntScalingImpl: IntScaling.PowerOfTwoIntScaling({}),
    scalingImpl: Scaling.ConstScaling({ scalingInit })
  })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`TruncScaling on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("stays between 1 and the ratio of the widths, whichever is larger", () =>
      void tf.tidy(() => {
        const of = (init: number, from: number, to: number) =>
          number(wrapper(init).apply(never, tf.scalar(0), tf.scalar(from), tf.scalar(to), true)[0])
        expect([of(1, 8, 4), of(1000, 8, 4), of(40, 8, 4)]).toEqual([1, 16, 5])
        expect([of(1000, 4, 6), of(0.1, 4, 6), of(16, 4, 6)]).toEqual([1, 0.25, 0.5])
        expect([of(1000, 4, 4), of(0.1, 4, 4)]).toEqual([1, 1])
        const msb = TruncScaling.TruncMsbScaling({})
        expect(number(msb.apply(never, tf.scalar(0), tf.scalar(4), tf.scalar(6))[0])).toBe(0.25)
      }))

    it("at equal widths the bound is the constant 1: no gradient to the widths", () =>
      void tf.tidy(() => {
        const grads = tf.grads((from: tf.Tensor, to: tf.Tensor) =>
          tf.sum(wrapper(1000).apply(never, tf.scalar(0), from, to, true)[0])
        )([tf.scalar(4), tf.scalar(4)])
        expect(grads.map(number)).toEqual([0, 0])
      }))

    it("keeps what the scaling remembers", () => {
      const self = TruncScaling.TruncScalingWrapper({
        truncIntScalingImpl: IntScaling.PowerOfTwoIntScaling({ signed: true }),
        scalingImpl: RuntimeScaling.ParameterFromRuntimeStatsScaling({
          scalingStatsImpl: Statistic.AbsMax({}),
          collectStatsSteps: 2
        })
      })
      tf.tidy(() => {
        const state = { parameters: self.parameters, memory: self.memory, training: true }
        const [y, memory] = self.apply(state, tf.tensor1d([40, -64]), tf.scalar(8), tf.scalar(4))
        expect([number(y), memory]).toMatchObject([8, { scalingImpl: { counter: 1 } }])
      })
      Brick.dispose(self)
    })
  })

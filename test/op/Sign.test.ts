import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Sign from "../../src/op/Sign.ts"

const at = (f: (x: tf.Tensor) => tf.Tensor, x: ReadonlyArray<number>) =>
  tf.tidy(() => {
    const input = tf.tensor1d([...x])
    const dy = tf.range(1, x.length + 1)
    return {
      value: Array.from(f(input).dataSync(), (y) => y + 0),
      gradient: Array.from(
        tf
          .grad((a: tf.Tensor) => f(a))(input, dy)
          .dataSync(),
        (y) => y + 0
      )
    }
  })

const x = [-3, -0.5, -0, 0, 0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`Sign on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("binary: both zeros are positive, NaN is negative, the gradient is the identity's", () => {
      expect(at(Sign.binary, x)).toEqual({ value: [-1, -1, 1, 1, 1, 1, -1, -1], gradient: [1, 2, 3, 4, 5, 6, 7, 8] })
    })
    it("ternary: zeros and NaN are 0, the gradient is the identity's", () => {
      expect(at(Sign.ternary, x)).toEqual({ value: [-1, -1, 0, 0, 1, 1, -1, 0], gradient: [1, 2, 3, 4, 5, 6, 7, 8] })
    })
    it("binaryFlat: no gradient", () => {
      expect(at(Sign.binaryFlat, x)).toEqual({
        value: [-1, -1, 1, 1, 1, 1, -1, -1],
        gradient: [0, 0, 0, 0, 0, 0, 0, 0]
      })
    })
    it("magnitudeRising: at both zeros the gradient is the identity's", () => {
      expect(at(Sign.magnitudeRising, x)).toEqual({
        value: [3, 0.5, 0, 0, 0.5, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN],
        gradient: [-1, -2, 3, 4, 5, 6, -7, -8]
      })
    })
    it("denormals have a sign", () => {
      expect(at(Sign.ternary, [1e-45, -1e-40]).value).toEqual([1, -1])
      expect(at(Sign.magnitude, [1e-45, -1e-40]).gradient).toEqual([1, -2])
    })
    it("magnitude: NaN passes, the gradient has the sign of x and is 0 at zero", () => {
      expect(at(Sign.magnitude, x)).toEqual({
        value: [3, 0.5, 0, 0, 0.5, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN],
        gradient: [-1, -2, 0, 0, 5, 6, -7, 0]
      })
    })
  })

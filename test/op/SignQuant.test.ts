import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as SignQuant from "../../src/op/SignQuant.ts"
import * as Fused from "./Fused.ts"

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const specials = [0, -0, nan, inf, -inf, 1e-40, -1e-45, 3.4e38, 0.5, -0.5, 1, -1, 2, -0.25]

const ops = {
  binary: SignQuant.binary,
  clamped: (x: tf.Tensor, scale: tf.Tensor) => SignQuant.clampedBinary(x, scale, false),
  clampPasses: (x: tf.Tensor, scale: tf.Tensor) => SignQuant.clampedBinary(x, scale, true),
  ternary: (x: tf.Tensor, scale: tf.Tensor) => SignQuant.ternary(x, scale, 0.7)
} as const
type Kind = keyof typeof ops

const inputsOf = (given: Fused.Sample): Fused.Inputs => Fused.inputs(given, { reach: 3, specials })
const check = (given: Fused.Sample, kind: Kind): void =>
  Fused.check({
    given,
    inputs: () => inputsOf(given),
    op: ops[kind],
    definition: (x, scale) => SignQuant.composition(kind, x, scale, 0.7)
  })

describe("SignQuant on wasm", () => {
  it.each(Object.keys(ops) as ReadonlyArray<Kind>)(
    "%s: kernel = composition: value and dx to the bit, the sum for the scale to 1e-6 of its terms",
    (kind) => {
      expect(tf.getKernel("BreveLevels", "wasm")).toBeDefined()
      fc.assert(
        fc.property(Fused.layout, (given) => check(given, kind)),
        { numRuns: 250 }
      )
    }
  )

  const plain: Fused.Sample = { shape: [6, 7], scaleAxes: [], seed: 1, special: true, powers: false }

  it("every layout of one run of axes runs fused; whole numbers take the composition", () => {
    for (const scaleAxes of [[], [true], [false, true], [true, true]])
      tf.tidy(() => {
        const [x, scale] = inputsOf({ ...plain, scaleAxes })
        for (const op of Object.values(ops)) expect(Fused.kernels(() => op(x, scale))).toEqual(["BreveLevels"])
      })
    tf.tidy(() => {
      const whole = tf.tensor([3, -1, 0], [3], "int32")
      expect(Fused.kernels(() => SignQuant.binary(whole, tf.scalar(0.5)))).toEqual([])
    })
  })

  it("leaks nothing, forward or backward", () => {
    const { numTensors, numDataBuffers } = tf.memory()
    for (const kind of Object.keys(ops) as ReadonlyArray<Kind>)
      for (const scaleAxes of [[], [true, false], [false, true]]) check({ ...plain, scaleAxes }, kind)
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers })
  })
})

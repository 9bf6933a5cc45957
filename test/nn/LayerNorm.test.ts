import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as LayerNorm from "../../src/nn/LayerNorm.ts"
import * as State from "../../src/nn/State.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const rows = [
  [1, 2, 6],
  [-4, 0.5, 0.25]
]

/** The formula, row by row. */
const wanted = (isCentered: boolean, weight: ReadonlyArray<number>, bias: ReadonlyArray<number>): Array<number> =>
  rows.flatMap((row) => {
    const mean = isCentered ? row.reduce((a, b) => a + b) / row.length : 0
    const size = Math.sqrt(row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length + 1e-5)
    return row.map((x, i) => ((x - mean) / size) * (weight[i] as number) + (bias[i] as number))
  })

const made = (layer: LayerNorm.LayerNorm, state: State.StateDict) =>
  Effect.gen(function* () {
    yield* State.load(layer, state, "strict")
    const x = tf.tensor2d(rows)
    const y = yield* Layer.forward(layer, x)
    const values = [...(y as tf.Tensor).dataSync()]
    tf.dispose([x, ...Layer.tensorsIn(y), ...Object.values(state)])
    return values
  })

const near = (got: ReadonlyArray<number>, expected: ReadonlyArray<number>): void => {
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(expected[i] as number, 5)
}

describe("LayerNorm", () => {
  it("takes the mean away, divides by the deviation, scales and shifts", () =>
    run(
      Effect.gen(function* () {
        const [weight, bias] = [
          [1, 2, 0.5],
          [0.1, 0, -1]
        ] as const
        const layer = yield* LayerNorm.layerNorm({ channels: 3 })
        const state = { weight: tf.tensor1d([...weight]), bias: tf.tensor1d([...bias]) }
        near(yield* made(layer, state), wanted(true, weight, bias))
      })
    ))
  it("only divides by the root of the mean square, if it is an RMSNorm", () =>
    run(
      Effect.gen(function* () {
        const layer = yield* LayerNorm.rmsNorm({ channels: 3 })
        near(yield* made(layer, { weight: tf.tensor1d([1, 2, 0.5]) }), wanted(false, [1, 2, 0.5], [0, 0, 0]))
      })
    ))
  it("refuses options and inputs that cannot be", () =>
    run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(LayerNorm.layerNorm({ channels: 0 }))).toMatchObject({ option: "channels" })
        expect(yield* Effect.flip(LayerNorm.rmsNorm({ channels: 2, epsilon: -1 }))).toMatchObject({ option: "epsilon" })
        const layer = yield* LayerNorm.layerNorm({ channels: 3 })
        const x = tf.zeros([1, 2])
        expect(yield* Effect.flip(Layer.forward(layer, x))).toMatchObject({ _tag: "ShapeMismatch" })
        x.dispose()
      })
    ))
})

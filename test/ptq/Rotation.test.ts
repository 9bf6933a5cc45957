import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as ActivationSizes from "../../src/ptq/ActivationSizes.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import * as MergeLayerNorm from "../../src/ptq/MergeLayerNorm.ts"
import * as Prepare from "../../src/ptq/Prepare.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Rotate from "../../src/ptq/Rotate.ts"
import * as RotationMath from "../../src/ptq/RotationMath.ts"
import * as Spaces from "../../src/ptq/Spaces.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Nets from "./Nets.ts"

/** How far `R R^T` is from `d I`. */
const offDiagonal = (r: Matrix.Matrix, d: number): number => {
  const square = Matrix.product(r, Matrix.transpose(r))
  return square.data.reduce((most, x, i) => Math.max(most, Math.abs(x - (i % (r.rows + 1) === 0 ? d : 0))), 0)
}

const linear = (inFeatures: number, outFeatures: number, seed: number) =>
  Linear.quantLinear({ inFeatures, outFeatures, seed, weightQuant: null })

describe("RotationMath", () => {
  it("makes Hadamard matrices of powers of two, and by both constructions of Paley", () => {
    for (const n of [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 60, 64, 96]) {
      const h = RotationMath.hadamard(n)
      expect(h?.data.every((x) => Math.abs(x) === 1)).toBe(true)
      expect(offDiagonal(h as Matrix.Matrix, n)).toBe(0)
    }
    for (const n of [0, 3, 6, 7, 10, 18, 1.5]) expect(RotationMath.hadamard(n)).toBe(undefined)
  })
  it("makes orthogonal matrices, the same of the same seed", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.nat(100), (n, seed) => {
        const made = () => RotationMath.rotation("orthogonal", n, Random.make(seed)) as Matrix.Matrix
        expect(offDiagonal(made(), 1)).toBeLessThan(1e-12)
        expect(made()).toEqual(made())
      }),
      { numRuns: 30, seed: 1 }
    ))
})

const spacesOf = (model: Ptq.Model, input: Prepare.Example) =>
  Effect.map(Prepare.looking(model, input, "a test", Spaces.of), (found) =>
    "unknown" in found
      ? found.unknown
      : found.spaces.map(({ channels, sources, sinks }) => [
          channels,
          sources.map(({ name }) => name).toSorted(),
          sinks.map(({ name }) => name).toSorted()
        ])
  )

const batches = Stream.make(() => Nets.batch([4, 3]))

/** The largest value that a layer reads, in units of their root mean square. */
const peakAt = (model: Ptq.Model, layer: string) =>
  Effect.gen(function* () {
    const own = model.cells.find(([name]) => name === layer)?.[1] as never
    const { sizes } = yield* ActivationSizes.of(model, batches, [{ name: layer, own }], { step: "a test" })
    const { low, high, squares, count } = sizes.get(own) as ActivationSizes.Seen
    const most = Math.max(...low.map(Math.abs), ...high.map(Math.abs))
    return most / Math.sqrt(squares.reduce((a, b) => a + b) / (count * squares.length))
  })

/** A residual stream in which one channel is far larger than the others. */
const outlying = Effect.gen(function* () {
  const { model, input } = yield* Nets.make({ kind: "stream", seed: 5, spread: 0 })
  const { "embed.weight": weight } = yield* State.parameters(model)
  const large = tf.tidy(() => tf.mul(weight as tf.Tensor, tf.tensor1d([1, 1, 100, 1, 1, 1, 1, 1])))
  yield* State.load(model, { "embed.weight": large }, "report")
  large.dispose()
  return { model, input }
})

describe("Rotate.rotate", () => {
  it("finds the residual stream once its normalizations have no scales, and spreads its outliers", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* outlying
        expect(yield* spacesOf(model, input)).toEqual([])
        const merged = yield* MergeLayerNorm.merge({ input })(model)
        expect(yield* spacesOf(merged, input)).toEqual([[8, ["down1", "down2", "embed"], ["head", "up1", "up2"]]])
        const next = yield* Rotate.rotate({ input })(merged)
        expect(Nets.distance(yield* Nets.floatOf(model, input), yield* Nets.floatOf(next, input))).toBeLessThan(1e-4)
        const [before, after] = [yield* peakAt(merged, "up1"), yield* peakAt(next, "up1")]
        expect(before).toBeGreaterThan(2.5)
        expect(after).toBeLessThan(0.6 * before)
      })
    ))
  it("rotates between linear layers that follow each other, also where one is called twice", () =>
    Nets.run(
      Effect.gen(function* () {
        const layers = { a: yield* linear(3, 4, 1), b: yield* linear(4, 4, 2), c: yield* linear(4, 2, 3) }
        const model = Model.functional(layers, (layer, x: Layer.Value) => layer.c(layer.b(layer.b(layer.a(x)))))
        expect(yield* spacesOf(model, [2, 3])).toEqual([[4, ["a", "b"], ["b", "c"]]])
        const next = yield* Rotate.rotate({ input: [2, 3] })(model)
        const distance = Nets.distance(yield* Nets.floatOf(model, [2, 3]), yield* Nets.floatOf(next, [2, 3]))
        expect(distance).toBeLessThan(1e-5)
        expect(yield* Nets.stateOf(next)).not.toBe(yield* Nets.stateOf(model))
      })
    ))
  it("says where there is no Hadamard matrix, and what to do", () =>
    Nets.run(
      Effect.gen(function* () {
        const model = Model.sequential({ a: yield* linear(3, 7, 1), b: yield* linear(7, 2, 2) })
        const before = yield* Nets.stateOf(model)
        const error = yield* Effect.flip(Rotate.rotate({ input: [1, 3] })(model))
        expect(error).toMatchObject({ _tag: "InvalidOptions", option: "kind" })
        expect((error as Error).message).toContain('use kind: "orthogonal"')
        expect(yield* Nets.stateOf(model)).toBe(before)
      })
    ))
})

describe("Rotate.online", () => {
  it("puts a rotation before a layer, which takes its inverse over", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "stream", seed: 5, spread: 1 })
        const before = yield* Nets.stateOf(model)
        const next = yield* pipe(model, Rotate.online({ layers: ["down1", "down2"] }))
        expect(Object.keys(yield* State.parameters(next))).toContain("down1.rotation.weight")
        expect(Nets.distance(yield* Nets.floatOf(model, input), yield* Nets.floatOf(next, input))).toBeLessThan(1e-4)
        expect(yield* Effect.flip(Rotate.online({ layers: ["dwn1"] })(model))).toMatchObject({
          _tag: "UnknownLayer",
          nearest: "down1"
        })
        expect(yield* Nets.stateOf(model)).toBe(before)
      })
    ))
})

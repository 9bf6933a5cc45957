import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as State from "../../src/nn/State.ts"
import * as ActivationEqualize from "../../src/ptq/ActivationEqualize.ts"
import * as ActivationSizes from "../../src/ptq/ActivationSizes.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Nets from "./Nets.ts"

/** Inputs of which one channel is far larger than the others. */
const outlying = (): tf.Tensor => tf.mul(Nets.batch([3, 4]), tf.tensor1d([1, 50, 1, 1]))
const batches = Stream.make(outlying, outlying)

/** How far the sizes of the channels that a layer reads are apart. */
const spreadAt = (model: Ptq.Model, layer: string) =>
  Effect.gen(function* () {
    const own = model.cells.find(([name]) => name === layer)?.[1] as never
    const { sizes } = yield* ActivationSizes.of(model, batches, [{ name: layer, own }], { step: "a test" })
    const all = ActivationSizes.sizesOf(sizes.get(own) as ActivationSizes.Seen, "maxabs")
    return Math.max(...all) / Math.min(...all)
  })

describe("ActivationEqualize", () => {
  it("makes what a layer reads alike, by a scale before it", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model } = yield* Nets.make({ kind: "mlp", seed: 1, spread: 0 })
        const before = yield* spreadAt(model, "fc1")
        const next = yield* ActivationEqualize.layerwise(batches, { alpha: 1 })(model)
        expect(Object.keys(yield* State.parameters(next))).toContain("fc1.scale.weight")
        expect(before).toBeGreaterThan(20)
        expect(yield* spreadAt(next, "fc1.layer")).toBeCloseTo(1, 4)
        const skipped = yield* ActivationEqualize.layerwise(batches, { skip: ["fc1", "fc3"] })(model)
        expect(Object.keys(yield* State.parameters(skipped))).toEqual([
          "fc1.weight",
          "fc1.bias",
          "fc2.scale.weight",
          "fc2.layer.weight",
          "fc3.weight",
          "fc3.bias"
        ])
      })
    ))
  it("makes what a layer reads alike, by the weights before it", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "mlp", seed: 1, spread: 4 })
        const before = yield* spreadAt(model, "fc3")
        const next = yield* ActivationEqualize.equalize(batches, { input, alpha: 1 })(model)
        expect(Object.keys(yield* State.parameters(next))).toEqual(Object.keys(yield* State.parameters(model)))
        expect(before).toBeGreaterThan(4)
        expect(yield* spreadAt(next, "fc3")).toBeCloseTo(1, 4)
      })
    ))
  it("says what is wrong, and where; the model stays", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "mlp", seed: 1, spread: 0 })
        const before = yield* Nets.stateOf(model)
        const { equalize, layerwise } = ActivationEqualize
        const failing = (step: Ptq.Step<unknown>) => Effect.flip(step(model))
        expect(yield* failing(equalize(Stream.empty, { input }))).toMatchObject({ _tag: "NoCalibrationData" })
        expect(yield* failing(layerwise(Stream.empty))).toMatchObject({ _tag: "NoCalibrationData" })
        const bad = Stream.make(() => tf.fill([2, 4], Number.NaN))
        expect(yield* failing(layerwise(bad))).toMatchObject({ _tag: "NonFiniteActivations", layer: "fc1" })
        expect(yield* failing(equalize(bad, { input }))).toMatchObject({ _tag: "NonFiniteActivations", layer: "fc2" })
        expect(yield* failing(layerwise(batches, { alpha: 2 }))).toMatchObject({ option: "alpha" })
        const unknown = yield* failing(layerwise(batches, { skip: ["fc4"] }))
        expect(unknown).toMatchObject({ _tag: "UnknownLayer", layer: "fc4", nearest: "fc1" })
        expect(yield* Nets.stateOf(model)).toBe(before)
      })
    ))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Equalize from "../../src/ptq/Equalize.ts"
import * as EqualizeMath from "../../src/ptq/EqualizeMath.ts"
import * as Prepare from "../../src/ptq/Prepare.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Nets from "./Nets.ts"

const linear = (inFeatures: number, outFeatures: number, seed = 0) =>
  Linear.quantLinear({ inFeatures, outFeatures, seed, weightQuant: null })

const named = (model: Ptq.Model, input: Prepare.Example) =>
  Effect.map(Prepare.regions(model, { input, step: "a test" }), (regions) =>
    regions.map(({ sources, sinks, channels }) => [
      sources.map(({ name }) => name),
      sinks.map(({ name }) => name),
      channels.length
    ])
  )

describe("Prepare.regions", () => {
  it("finds what hangs together through additions and concatenations", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "residual", seed: 1, spread: 1 })
        expect(yield* named(model, input)).toEqual([[["bn", "left", "right"], ["left", "right", "head", "tail"], 7]])
      })
    ))
  it("follows channels through a flattening, grouped and depthwise convolutions", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "cnn", seed: 2, spread: 1 })
        expect(yield* named(model, input)).toEqual([
          [["bn1"], ["depthwise"], 4],
          [["depthwise"], ["grouped"], 4],
          [["bn2"], ["up"], 6],
          [["bn3"], ["fc"], 4]
        ])
      })
    ))
  it("does without the channels that a bounded function, the model's input or its output reads or makes", () =>
    Nets.run(
      Effect.gen(function* () {
        const tanh = Model.stateless("Tanh", tf.tanh, { op: "tanh" })
        const layers = { fc1: yield* linear(3, 4), fc2: yield* linear(4, 2), tanh }
        const through = Model.functional(layers, (layer, x: Layer.Value) => layer.fc2(layer.tanh(layer.fc1(x))))
        expect(yield* named(through, [2, 3])).toEqual([])
        const twice = Model.functional(layers, (layer, x: Layer.Value) => {
          const y = layer.fc1(x)
          return [layer.fc2(y), y]
        })
        expect(yield* named(twice, [2, 3])).toEqual([])
        const cat = yield* Elementwise.quantCat({ inputQuant: null, outputQuant: null })
        const wide = Model.functional({ ...layers, fc3: yield* linear(7, 2), cat }, (layer, x: Layer.Value) =>
          layer.fc3(layer.cat([layer.fc1(x), x]))
        )
        // the channels of the input stay, the others need not
        expect(yield* named(wide, [2, 3])).toEqual([[["fc1"], ["fc3"], 4]])
      })
    ))
  it("gives a layer that is called again the same channels again", () =>
    Nets.run(
      Effect.gen(function* () {
        const layers = { first: yield* linear(3, 4), again: yield* linear(4, 4), last: yield* linear(4, 2) }
        const model = Model.functional(layers, (layer, x: Layer.Value) =>
          layer.last(layer.again(layer.again(layer.first(x))))
        )
        expect(yield* named(model, [2, 3])).toEqual([[["first", "again"], ["again", "last"], 4]])
        const wanted = yield* Nets.floatOf(model, [2, 3])
        const next = yield* Equalize.equalize({ input: [2, 3] })(model)
        expect(Nets.distance(wanted, yield* Nets.floatOf(next, [2, 3]))).toBeLessThan(1e-5)
      })
    ))
})

describe("Equalize.equalize", () => {
  it("has nothing to do where it has been: a fixed point", { timeout: 60_000 }, () =>
    fc.assert(
      fc.asyncProperty(Nets.net("mlp", "cnn", "residual"), (net) =>
        Nets.run(
          Effect.gen(function* () {
            const { model, input } = yield* Nets.make(net)
            const once = yield* Equalize.equalize({ input, iterations: 200, threshold: 1e-6, mergeBias: false })(model)
            const twice = yield* Equalize.equalize({ input, iterations: 1, mergeBias: false })(once)
            const [a, b] = [yield* State.extract(once), yield* State.extract(twice)]
            const floats = (state: typeof a, name: string) =>
              new Float32Array((state[name] as { data: Uint8Array }).data.slice().buffer)
            for (const name of Object.keys(a).filter((one) => /weight$|bias$/.test(one)))
              expect(Nets.distance(floats(a, name), floats(b, name))).toBeLessThan(1e-4)
          })
        )
      ),
      { numRuns: 15, seed: 2 }
    )
  )
  it("makes channels that differ equally large on both sides", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "mlp", seed: 4, spread: 4 })
        const spread = (of: Ptq.Model) =>
          Effect.map(State.parameters(of), (state) => {
            const sizes = tf.tidy(() => [...tf.max(tf.abs(state["fc1.weight"] as tf.Tensor), 0).dataSync()])
            return Math.max(...sizes) / Math.min(...sizes)
          })
        const before = yield* spread(model)
        const next = yield* Equalize.equalize({ input })(model)
        expect(yield* spread(next)).toBeLessThan(before / 2)
      })
    ))
  it("says what is wrong, and where", () =>
    Nets.run(
      Effect.gen(function* () {
        const [fc1, fc2] = [yield* linear(3, 4), yield* linear(4, 2)]
        const model = Model.sequential({ fc1, fc2 })
        const before = yield* Nets.stateOf(model)
        const input = [1, 3]
        const failing = (step: Ptq.Step<unknown>) => Effect.flip(step(model))
        expect(yield* failing(Equalize.equalize({ input: [1, 0] }))).toMatchObject({ _tag: "ShapeMismatch" })
        expect(yield* failing(Equalize.equalize({ input: [1, 5] }))).toMatchObject({ _tag: "ShapeMismatch" })
        expect(yield* failing(Equalize.equalize({ input, iterations: -1 }))).toMatchObject({ option: "iterations" })
        expect(yield* failing(Equalize.equalize({ input, biasShrinkage: 0 }))).toMatchObject({
          option: "biasShrinkage"
        })
        expect(yield* Nets.stateOf(model)).toBe(before)
        const between = Model.functional({ fc1, fc2 }, (layer, x: Layer.Value) =>
          layer.fc2(tf.sqrt(layer.fc1(x) as tf.Tensor))
        )
        const unknown = yield* Effect.flip(Equalize.equalize({ input })(between))
        expect(unknown).toMatchObject({ _tag: "UnknownStructure", layer: "fc2" })
        expect((unknown as Error).message).toContain("make a layer of that")
        const bad = tf.fill([4, 2], Number.NaN)
        yield* State.load(model, { "fc2.weight": bad }, "report")
        bad.dispose()
        expect(yield* failing(Equalize.equalize({ input }))).toMatchObject({ _tag: "NonFiniteWeights", layer: "fc2" })
      })
    ))
})

describe("EqualizeMath", () => {
  it("leaves channels without a size alone", () => {
    expect([...EqualizeMath.factors([4, 0, 1, 1e-9], [1, 3, 0, 1])]).toEqual([0.5, 1, 1, 1])
  })
  it("shrinks biases by the rules of Vitis AI", () => {
    const of = (weight: ReadonlyArray<number>, bias: number) => EqualizeMath.shrinkage(weight, () => 0, [bias], "vaiq")
    expect(of([1, 1], 1)).toBe(2)
    expect(of([1, 0.001, 0.001], 1)).toBe(5)
    expect(of([1, 1], 12)).toBe(5)
    expect(of([1, 1], 20)).toBe(10)
    expect(of([1, 1], 40)).toBe(20)
    expect(EqualizeMath.shrinkage([1], () => 0, [1], 7)).toBe(7)
  })
})

/** Structure.ts: what steps have made of a model is made again from data, and takes the state to the bit. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as LayerNorm from "../../src/nn/LayerNorm.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"
import * as Steps from "../../src/ptq/Steps.ts"
import * as Structure from "../../src/ptq/Structure.ts"
import * as Random from "../../src/tensor/Random.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import { run } from "./Nets.ts"

const pair = (n: number): readonly [number, number] => [n, n]

/** A network with all that steps change: normalizations, no biases, a tanh, a layer that stands in two places. */
const network = (seed: number) =>
  Effect.gen(function* () {
    const plain = { hasBias: false } as const
    const twice = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 8, seed: seed + 4 })
    return Model.sequential({
      input: yield* Activation.quantIdentity(),
      conv1: yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 8, kernelSize: pair(3), seed, ...plain }),
      norm1: yield* Normalization.batchNorm({ channels: 8 }),
      relu1: yield* Activation.quantReLU(),
      conv2: yield* Convolution.quantConv2d({
        inChannels: 8,
        outChannels: 8,
        kernelSize: pair(3),
        seed: seed + 1,
        ...plain
      }),
      norm2: yield* Normalization.batchNorm({ channels: 8 }),
      relu2: Model.relu,
      flatten: Model.flatten,
      fc1: yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 8, seed: seed + 2, ...plain }),
      layerNorm: yield* LayerNorm.layerNorm({ channels: 8 }),
      body: Model.sequential({
        fc2: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 8, seed: seed + 3 }),
        tanh: yield* Activation.quantTanh(),
        again: Model.sequential({ twice })
      }),
      twice,
      fc3: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 3, seed: seed + 5 })
    })
  })

const images = (seed: number): tf.Tensor => tf.tensor(Random.normal(Random.make(seed), 8 * 72, 0, 1), [8, 6, 6, 2])
const batches: Ptq.Batches = Stream.make(...[1, 2].map((seed) => () => images(seed)))

/** Layers between which nothing but sums is computed, so that a rotation can pass. */
const linear = (seed: number) =>
  Effect.gen(function* () {
    return Model.sequential({
      flatten: Model.flatten,
      fc1: yield* Linear.quantLinear({ inFeatures: 72, outFeatures: 8, seed }),
      fc2: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 3, seed: seed + 1 })
    })
  })

const drawn = (seed: number): Stored.Stored => {
  const values = Float32Array.from(Random.uniform(Random.make(seed), 8, 0.5, 1.5))
  return { dtype: "F32", shape: [8], data: new Uint8Array(values.buffer) }
}

/** Scales and shifts of normalizations that do something. */
const affine = Object.fromEntries(
  ["norm1", "norm2", "layerNorm"].flatMap((name, i) => [
    [`${name}.weight`, drawn(2 * i + 1)],
    [`${name}.bias`, drawn(2 * i + 2)]
  ])
)

const answerOf = (model: Ptq.Model) =>
  Effect.gen(function* () {
    const x = images(7)
    const y = yield* Layer.forward(model, x)
    const values = Layer.tensorsIn(y).map((one) => [...one.dataSync()])
    tf.dispose([x, ...Layer.tensorsIn(y)])
    expect(values.flat().every(Number.isFinite)).toBe(true)
    return values
  })

const perChannel = {
  quantizer: "Int8WeightPerChannelFloat",
  options: { bitWidth: 4, scalingImplType: "parameterFromStats" }
}
const weights = { match: "*weightQuant", ...perChannel }

interface Case {
  readonly options?: object
  readonly before?: ReadonlyArray<Recipe.Recipe["steps"][number]>
  readonly make?: typeof linear
  /** what of the structure is another one afterwards */
  readonly changes?: ReadonlyArray<string>
}

/** The steps that need options, or change the structure. */
const cases: Readonly<Record<string, Case>> = {
  mergeBatchNorm: { changes: ["identity", "parameters"] },
  mergeLayerNorm: {},
  activationEqualize: { options: { insert: true }, changes: ["scaleAfter", "parameters"] },
  activationEqualizeLayerwise: { changes: ["scaleBefore", "parameters"] },
  splitChannels: { options: { ratio: 0.2 }, before: [{ step: "mergeBatchNorm" }], changes: ["identity", "parameters"] },
  absorbBias: { options: { deviations: "least" }, changes: ["parameters"] },
  rotateOnline: {
    options: { layers: ["conv2", "body.again.twice", "fc3"], kind: "orthogonal" },
    changes: ["rotation", "parameters"]
  },
  lowRank: { options: { rank: 2 }, changes: ["branch", "parameters"] },
  mixedPrecision: {
    options: {
      candidates: [4, 8].map((bitWidth) => ({ ...perChannel, options: { ...perChannel.options, bitWidth } })),
      budget: { of: "operations", mean: 5 }
    },
    changes: ["quantizers"]
  },
  biasCorrection: { changes: ["parameters"] },
  rotate: { options: { kind: "orthogonal" }, make: linear },
  adaRound: { options: { iterations: 5 } },
  autoRound: { options: { iterations: 5 } }
}

describe("a structure", () => {
  it.each(Steps.names)("after %s is made again, and takes the state to the bit", (step) =>
    run(
      Effect.gen(function* () {
        const { options, before = [], make = network, changes = [] } = cases[step] ?? {}
        const recipe = yield* Recipe.fromJson({
          name: "mine",
          quantizers: [weights],
          steps: [...before, { step, ...(options && { options }) }, { step: "calibrate" }]
        })
        const float = yield* make(1)
        yield* State.load(float, affine)
        const { model, structure } = yield* Recipe.follow(recipe, batches)(float)
        expect(structure.map(({ change }) => change)).toEqual(["quantizers", ...changes])
        const told = yield* Structure.decode(Structure.encode(structure))
        expect(told).toEqual(structure)
        const blank = yield* make(5)
        const untouched = yield* State.extract(blank)
        const again = yield* Structure.rebuilt(told)(blank)
        yield* State.load(again, yield* State.extract(model), "strict")
        expect(yield* answerOf(again)).toEqual(yield* answerOf(model))
        expect(yield* State.extract(again)).toEqual(yield* State.extract(model))
        expect(yield* State.extract(blank)).toEqual(untouched)
      })
    )
  )
  it("of several steps, one within the other, is made again in their order", () =>
    run(
      Effect.gen(function* () {
        const recipe: Recipe.Recipe = {
          name: "mine",
          quantizers: [weights, { match: "fc3.weightQuant", quantizer: null }],
          steps: [
            { step: "mergeBatchNorm" },
            { step: "splitChannels", options: { ratio: 0.3 } },
            { step: "activationEqualizeLayerwise" },
            { step: "lowRank", options: { rank: 2, layers: ["fc1.layer"] } },
            { step: "calibrate" },
            { step: "gptq" },
            { step: "biasCorrection" }
          ]
        }
        const { model, structure } = yield* Recipe.follow(recipe, batches)(yield* network(1))
        expect(model.cells.map(([name]) => name)).toContain("fc1.layer.down")
        const again = yield* Structure.rebuilt(structure)(yield* network(5))
        yield* State.load(again, yield* State.extract(model), "strict")
        expect(yield* answerOf(again)).toEqual(yield* answerOf(model))
      })
    ))
  it("is whole without any step that looks at weights or batches", () =>
    run(
      Effect.gen(function* () {
        const recipe: Recipe.Recipe = { name: "mine", quantizers: [weights], steps: [] }
        const { model, structure } = yield* Recipe.follow(recipe, batches)(yield* linear(1))
        const again = yield* Structure.rebuilt(structure)(yield* linear(5))
        yield* State.load(again, yield* State.extract(model), "strict")
        expect(yield* answerOf(again)).toEqual(yield* answerOf(model))
      })
    ))
  it("is refused for a model without its places, and as a text that is none", () =>
    run(
      Effect.gen(function* () {
        const model = yield* linear(1)
        const refusal = (structure: Structure.Structure) =>
          Effect.map(Effect.flip(Structure.rebuilt(structure)(model)), ({ message }) => message)
        expect(yield* refusal([{ change: "branch", at: [["fc3"]] }])).toContain("did you mean fc1?")
        expect(yield* refusal([{ change: "parameters", shapes: { "fc4.bias": [2] } }])).toContain("fc4.bias")
        const quantizers = { "fc1.weightQuants": { quantizer: null } }
        expect(yield* refusal([{ change: "quantizers", quantizers }])).toContain("did you mean fc1.weightQuant?")
        const wrong = (text: string) =>
          Effect.map(Effect.flip(Structure.decode(text, "x.safetensors")), ({ message }) => message)
        expect(yield* wrong("{")).toBe("x.safetensors: its structure is no JSON")
        expect(yield* wrong('[{ "change": "identities", "at": [["fc1"]] }]')).toContain(
          "x.safetensors: its structure is none"
        )
        const strange = [{ change: "quantizers", quantizers: { "fc1.weightQuant": { quantizer: "Int8Weights" } } }]
        expect(yield* wrong(JSON.stringify(strange))).toContain('there is no quantizer "Int8Weights"')
      })
    ))
})

/**
 * Cases of steps that change a float network before it is quantized: the parameters after them, the regions they found, and what the
 * network computes before and after.
 *
 * Parameters and outputs: 1e-5 of the largest one, since factors are found again and again in float32.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as State from "../../../../src/nn/State.ts"
import * as ActivationEqualize from "../../../../src/ptq/ActivationEqualize.ts"
import * as ClipWeights from "../../../../src/ptq/ClipWeights.ts"
import * as Equalize from "../../../../src/ptq/Equalize.ts"
import * as MergeBatchNorm from "../../../../src/ptq/MergeBatchNorm.ts"
import * as MergeLayerNorm from "../../../../src/ptq/MergeLayerNorm.ts"
import * as Prepare from "../../../../src/ptq/Prepare.ts"
import type * as Ptq from "../../../../src/ptq/Ptq.ts"
import * as SplitChannels from "../../../../src/ptq/SplitChannels.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Layout from "../layers/Layout.ts"
import { type Difference, outcomeOf } from "../quantizers/Compared.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Network from "./Network.ts"
import { near } from "./Rounded.ts"

type Layers = Readonly<Record<string, Network.Written>>

/** The layers of a case by name; where they are told in words, the shapes of the parameters say the rest. */
const layersOf = ({ config, inputs }: Case): Layers => {
  const linear = (name: string): Network.Written => {
    const [outputs, features] = inputs.params[`${name}.weight`].shape
    return { layer: "Linear", args: { in_features: features, out_features: outputs } }
  }
  switch (config.op) {
    case "MergeLnAffine":
      return {
        ln: { layer: "LayerNorm", args: { num_features: inputs.params["ln.weight"].shape[0] } },
        fc: linear("fc")
      }
    case "ClipFloatWeights": {
      const [outputs, channels, size] = inputs.params["1.weight"].shape
      const args = { in_channels: channels, out_channels: outputs, kernel_size: size }
      return { 0: linear("0"), 1: { layer: "Conv1d", args } }
    }
    default:
      return Object.fromEntries(config.model.map((written: Network.Written, i: number) => [String(i), written]))
  }
}

/** How a parameter lies. */
const layoutOf = (layers: Layers, name: string): Layout.Layout =>
  layers[name.split(".")[0] as string]?.layer.includes("Transpose") ? Layout.transposedOutput : Layout.outputLast

const made = (testCase: Case): Effect.Effect<Model.Composed, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const layers = layersOf(testCase)
    const built = yield* Effect.forEach(Object.entries(layers), ([name, written]) =>
      Effect.map(Network.layer(written), (layer) => [name, layer] as const)
    )
    const model = Model.sequential(Object.fromEntries(built))
    const given = Object.entries<any>(testCase.inputs.params).map(([name, written]) => {
      const x = tensorOf(written)
      return [camelOf(name), x.rank > 1 ? Layout.ours(layoutOf(layers, name), x) : x] as const
    })
    yield* State.load(model, Object.fromEntries(given), "strict")
    return model
  })

const optionsOf = (given: any): Omit<Equalize.Options, "input"> => ({
  iterations: given.iterations,
  threshold: given.threshold,
  mergeBias: given.merge_bias,
  biasShrinkage: given.bias_shrinkage,
  measure: given.scale_computation_type
})

/** The step of a case. */
const stepOf = (
  { config, inputs }: Case,
  input: Prepare.Example,
  report: NonNullable<Ptq.Reporting["report"]>
): Ptq.Step<unknown> => {
  switch (config.op) {
    case "activation_equalization_mode": {
      const batches = Stream.fromIterable((inputs.x as ReadonlyArray<unknown>).map(Network.image))
      const { alpha, add_mul_node: insert, co_optimize_act_weights: coOptimize } = config
      return config.layerwise
        ? ActivationEqualize.layerwise(batches, { alpha })
        : ActivationEqualize.equalize(batches, { input, alpha, insert, coOptimize })
    }
    case "GraphChannelSplitting": {
      const { split_ratio: ratio, split_input: inputs } = config.arguments
      return SplitChannels.splitChannels({ input, ratio, inputs, report })
    }
    case "EqualizeGraph":
      return Equalize.equalize({ input, ...optionsOf(config.arguments) })
    case "MergeBatchNorm":
      return MergeBatchNorm.merge({ input })
    case "MergeLnAffine":
      return MergeLayerNorm.merge({ input })
    default:
      return ClipWeights.clip({ threshold: config.threshold })
  }
}

/** The names that the reference gives to what is inserted. */
const theirNames = (name: string): string => name.replace(/^(\d+)\.scale\.weight$/, "_$1act_eq_mul.weight")

const floatOf = (model: Layer.Layer, x: tf.Tensor): Effect.Effect<tf.Tensor, Layer.InputError> =>
  Effect.map(Layer.forward(model, x, Layer.without(Layer.evaluation)), (y) => Network.back(QuantTensor.dequantized(y)))

/** The regions that the reference names, in its order: those that the step has worked on. */
const regionsOf = (testCase: Case, model: Layer.Layer, input: Prepare.Example, skipped: ReadonlySet<string>) =>
  Effect.map(Prepare.regions(model, { input, step: "a replay" }), (regions): ReadonlyArray<Difference> => {
    const wanted = JSON.stringify(testCase.outputs.regions)
    const got = JSON.stringify(
      regions
        .map(({ sources, sinks }) => ({
          sources: sources.map(({ name }) => name),
          sinks: sinks.map(({ name }) => name)
        }))
        .filter(({ sources }) => !sources.some((name) => skipped.has(name)))
    )
    return got === wanted ? [] : [{ path: "regions", text: `regions: expected ${wanted}, got ${got}` }]
  })

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { inputs, outputs } = testCase
    const layers = layersOf(testCase)
    const model = yield* made(testCase)
    const found: Array<Difference> = []
    const first = Array.isArray(inputs.x) ? inputs.x[0] : inputs.x
    const x = first === undefined ? tf.zeros([1, 1]) : Network.image(first)
    if (inputs.x !== undefined) found.push(...near("out before", outputs.out_before, yield* floatOf(model, x), 1e-5))
    const skipped = new Set<string>()
    const report = (event: Ptq.Event) =>
      Effect.sync(() => {
        if (event._tag === "StepDone") for (const { layer } of event.skipped) skipped.add(layer)
      })
    const next = yield* stepOf(testCase, x, report)(model)
    if (outputs.regions !== undefined) found.push(...(yield* regionsOf(testCase, model, x, skipped)))
    const renamed = testCase.config.layerwise === false ? theirNames : (name: string): string => name
    const parameters = Object.fromEntries(
      Object.entries(yield* State.parameters(next)).map(([name, value]) => [renamed(name), value])
    )
    const names = Object.keys(parameters).toSorted()
    const wanted = Object.keys(outputs.params_after).toSorted()
    if (JSON.stringify(names) !== JSON.stringify(wanted))
      found.push({ path: "parameters", text: `parameters: expected ${wanted}, got ${names}` })
    for (const name of names.filter((one) => wanted.includes(one))) {
      const mine = parameters[name] as tf.Tensor
      const there = mine.rank > 1 ? Layout.theirs(layoutOf(layers, name), mine) : mine
      found.push(...near(`parameter ${name}`, outputs.params_after[name], there, 1e-5))
    }
    if (inputs.x !== undefined) found.push(...near("out after", outputs.out_after, yield* floatOf(next, x), 1e-5))
    return outcomeOf(testCase, found)
  })

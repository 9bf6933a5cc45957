/**
 * Cases of learned rounding: one layer that gets coarser inputs than its float self, iteration by iteration.
 *
 * Integers: exactly. Losses, parameters and weights: 1e-4 of the largest one, since errors are fed back; gradients 1e-4 of the largest.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import * as Optimizer from "../../../../src/core/Optimizer.ts"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Weighted from "../../../../src/nn/Weighted.ts"
import type * as Ptq from "../../../../src/ptq/Ptq.ts"
import * as RoundLearning from "../../../../src/ptq/RoundLearning.ts"
import * as RoundLearningMath from "../../../../src/ptq/RoundLearningMath.ts"
import type { Case, Outcome } from "../../Case.ts"
import * as Layout from "../layers/Layout.ts"
import { type Difference, outcomeOf } from "../quantizers/Compared.ts"
import * as Network from "./Network.ts"
import { near } from "./Rounded.ts"

/** The network of a case: a layer that makes inputs coarse, and the layer that learns. */
const networkOf = ({ config, inputs }: Case): Effect.Effect<Model.Composed, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { layer, args, quantizer, kwargs } = config
    const written = [{ layer, args: { bias: true, ...args }, quantizers: { weight: quantizer }, kwargs }]
    const params = { "0.weight": inputs.weight, "0.bias": inputs.bias }
    const { layers } = yield* Network.make({ config: { model: written }, inputs: { params } } as unknown as Case)
    const coarse: Layer.Layer = {
      kind: "Coarse",
      cells: [],
      proxies: [],
      apply: (states, x, mode) => [Layer.mayBePlain(mode) ? x : Network.image(inputs.x_coarse), states]
    }
    return Model.sequential({ coarse, layer: layers["0"] as Layer.Layer })
  })

const lossOf = ({ loss, loss_arguments: given }: any): RoundLearningMath.Loss =>
  loss === "mse"
    ? RoundLearningMath.squared
    : RoundLearningMath.regularized({
        weight: given.weight,
        exponents: given.b_range,
        warmup: given.warmup,
        decayStart: given.decay_start
      })

const optimizerOf = ({ kind, lr, betas, eps }: any): Optimizer.Optimizer =>
  kind === "sgd" ? Optimizer.sgd(lr) : Optimizer.adam(lr, { beta1: betas[0], beta2: betas[1], epsilon: eps })

const written = (data: ReadonlyArray<number>): { readonly data: ReadonlyArray<number> } => ({ data })

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs, outputs, grads } = testCase
    const model = yield* networkOf(testCase)
    const there = (x: tf.Tensor): tf.Tensor => Layout.theirs(Layout.outputLast, x)
    const losses: Array<number> = []
    const learned = (iterations: number, optimizer: Optimizer.Optimizer, keep: "weights" | "quantizers") => {
      const report = (event: Ptq.Event) =>
        Effect.sync(() => void (event._tag === "Iterated" && iterations === config.steps && losses.push(event.loss)))
      // a shorter run is the beginning of the whole
      const loss: RoundLearningMath.Loss = (about) => lossOf(config)({ ...about, iterations: config.steps })
      const options = { iterations, optimizer, keep, loss, best: false, report }
      const batches = Stream.make(Network.image(inputs.x))
      return (
        config.implementation === "identity"
          ? RoundLearning.autoRound(batches, options)
          : RoundLearning.adaRound(batches, { ...options, rounding: camel(config.implementation) })
      )(model)
    }
    const layerOf = (model: Model.Composed): Weighted.Weighted => model.layers.layer as Weighted.Weighted
    const parameterOf = (model: Model.Composed) =>
      Effect.map(State.parameters(model), (all) => {
        const [, value] = Object.entries(all).find(([name]) => name.endsWith("floatToIntImpl.value")) as any
        return value as tf.Tensor
      })
    const weightOf = (model: Model.Composed, mode: Layer.Mode) => Weighted.quantWeight(layerOf(model), mode)
    const optimizer = optimizerOf(config.optimizer)
    const found: Array<Difference> = []

    const plain = yield* weightOf(model, Layer.evaluation)
    found.push(...near("scale", outputs.scale, there(plain.scale), 1e-6))
    found.push(...near("plain weight", outputs.quant_weight_plain_rounding, there(plain.value), 1e-6))
    const start = yield* learned(0, optimizer, "quantizers")
    const first = yield* parameterOf(start)
    found.push(...near("value at first", outputs.value_init, there(first), 1e-5))
    const begun = yield* weightOf(start, Layer.training)
    found.push(...near("weight at first", outputs.quant_weight_train_start, there(begun.value), 1e-5))
    const stepped = yield* parameterOf(yield* learned(1, Optimizer.sgd(1), "quantizers"))
    found.push(...near("gradient", grads.value_step0, there(tf.sub(first, stepped)), 1e-3))

    const end = yield* learned(config.steps, optimizer, "quantizers")
    found.push(...near("losses", written(outputs.losses), tf.tensor1d(losses), 1e-4))
    found.push(...near("value at last", outputs.value_end, there(yield* parameterOf(end)), 1e-4))
    const soft = yield* weightOf(end, Layer.training)
    found.push(...near("weight at last", outputs.quant_weight_train_end, there(soft.value), 1e-4))
    const hard = yield* weightOf(end, Layer.evaluation)
    found.push(...near("quantized", outputs.quant_weight_eval.value, there(hard.value), 1e-6))
    found.push(...near("integers", outputs.quant_weight_eval.int, there(QuantTensor.int(hard)), 0))
    const y = yield* Layer.forward(end, Network.image(inputs.x))
    found.push(...near("out", outputs.eval_out, Network.back(QuantTensor.dequantized(y)), 1e-5))
    if (config.kwargs.weight_scaling_impl_type === "parameter_from_stats") {
      const folded = yield* weightOf(yield* learned(config.steps, optimizer, "weights"), Layer.evaluation)
      found.push(...near("folded", outputs.quant_weight_eval.value, there(folded.value), 1e-6))
    }
    return outcomeOf(testCase, found)
  })

const camel = (name: string): "hardSigmoid" | "sigmoid" => (name === "sigmoid" ? "sigmoid" : "hardSigmoid")

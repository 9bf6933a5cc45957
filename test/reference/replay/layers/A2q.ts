/**
 * Accumulator-aware weight quantizers in layers whose input is quantized; and the bounds that they keep.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as Accumulator from "../../../../src/core/Accumulator.ts"
import * as Optimizer from "../../../../src/core/Optimizer.ts"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import type { Quantized } from "../../../../src/core/TensorQuantizer.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as State from "../../../../src/nn/State.ts"
import type * as Weighted from "../../../../src/nn/Weighted.ts"
import * as Range from "../../../../src/op/Range.ts"
import { Int8AccumulatorAwareWeightQuant } from "../../../../src/quant/Decoupled.ts"
import * as Gradient from "../../../../src/tensor/Gradient.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import * as Loss from "../../../../src/train/Loss.ts"
import * as Trainer from "../../../../src/train/Trainer.ts"
import type { BackendName, Case, Outcome } from "../../Case.ts"
import { onAsync, tensorOf } from "../Core.ts"
import {
  type Difference,
  differences,
  gradientDifferences,
  ofLogarithms,
  ofTrained,
  outcomeOf,
  type Tolerance
} from "../quantizers/Compared.ts"
import * as Answer from "./Answer.ts"
import * as Layout from "./Layout.ts"
import { outcome } from "./Measured.ts"
import { optionsOf } from "./Options.ts"
import { layerOf } from "./Weighted.ts"

type States = Layer.States

/** The layer of a case, with its weight; and where its weight and data lie in the reference. */
const prepared = (testCase: Case) =>
  Effect.gen(function* () {
    const { config, inputs } = testCase
    const { make, weight: layout, data } = layerOf(testCase)
    const quantizers = { weight: config.quantizer, input: config.input_quantizer }
    const named = { ...testCase, config: { ...config, quantizers } }
    const layer = (yield* make({ ...optionsOf(named, ["weight", "input"]), hasBias: false })) as Weighted.Weighted
    yield* State.load(layer, { weight: Layout.ours(layout, tensorOf(inputs.weight)) })
    return { layer, layout, data }
  })

/** The weight as these states quantize it for an input. */
const quantizedWeight = (layer: Weighted.Weighted, states: States, mode: Layer.Mode, x: Layer.Value): Quantized => {
  const { weightQuant, inputQuant, own } = layer
  if (weightQuant === undefined || inputQuant === undefined) throw new Error("a quantizer is missing")
  const [input] = Layer.quantize(states, inputQuant, QuantTensor.dequantized(x), mode)
  if (!QuantTensor.isQuantTensor(input)) throw new Error("the input is not quantized")
  const { quantizer, parameters, memory } = Layer.stateOf(states, weightQuant.cell)
  const { bitWidth, signed } = input
  const weight = Layer.stateOf(states, own).parameters.weight as tf.Tensor
  const state = { parameters, memory, training: mode.training, tracked: [weight] }
  const [quantized] = (quantizer as NonNullable<typeof quantizer>).apply(state, weight, { bitWidth, signed })
  return quantized
}

const weightNames = (layer: Weighted.Weighted, states: States): Readonly<Record<string, tf.Tensor>> =>
  Object.fromEntries(
    Object.entries(Answer.stateOf(layer, states)).flatMap(([name, leaf]) =>
      typeof leaf !== "number" && /^weight/.test(name) ? [[name, leaf] as const] : []
    )
  )

/** The gradients of `sum(quantized weight * upstream)`, by breve's names. */
const gradientsOf = (layer: Weighted.Weighted, states: States, mode: Layer.Mode, x: tf.Tensor, upstream: tf.Tensor) => {
  const named = weightNames(layer, states)
  const names = Object.keys(named)
  const { gradients } = Gradient.valueAndGradients(
    (now) => {
      const others = new Map(names.map((name, i) => [named[name] as tf.Tensor, now[i] as tf.Tensor]))
      const swapped: States = new Map(
        [...states].map(([cell, state]) => [
          cell,
          { ...state, parameters: Tree.map(state.parameters, (tensor) => others.get(tensor) ?? tensor) }
        ])
      )
      return tf.sum(tf.mul(quantizedWeight(layer, swapped, mode, x).value, upstream)) as tf.Scalar
    },
    names.map((name) => tf.clone(named[name] as tf.Tensor))
  )
  return Object.fromEntries(names.map((name, i) => [name, gradients[i]]))
}

/** Losses and trained weights go through several steps: 1e-5 relative to the largest. */
const near = (wanted: ReadonlyArray<number>, got: ArrayLike<number>, path: string): ReadonlyArray<Difference> => {
  const size = Math.max(...wanted.map(Math.abs))
  const at = wanted.findIndex((x, i) => !(Math.abs(x - (got[i] as number)) <= 1e-5 * size))
  return at < 0 ? [] : [{ path, text: `${path}[${at}]: expected ${wanted[at]}, got ${got[at]}` }]
}

/** Means of weights that may nearly cancel, in steps: eight units in the last place of the largest weight besides. */
const ofMeans = (weight: ReadonlyArray<number>, steps: ReadonlyArray<number>): Tolerance => {
  const size = Math.max(...weight.map(Math.abs)) / Math.min(...steps)
  return (expected) => 1e-6 * Math.abs(expected) + 8 * 2 ** -24 * size
}

const trained = (testCase: Case, layer: Weighted.Weighted, x: tf.Tensor, target: tf.Tensor) =>
  Effect.gen(function* () {
    const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1))
    const losses: Array<number> = []
    for (let i = 0; i < testCase.config.train_steps; i++)
      losses.push(yield* Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target)))
    return losses
  })

const replayLayer = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs, outputs } = testCase
    const { layer, layout, data } = yield* prepared(testCase)
    const ours = (x: any): tf.Tensor => Layout.ours(data, tensorOf(x))
    const there = (x: tf.Tensor | null | undefined) =>
      x === null || x === undefined || x.rank < 2 ? x : Layout.theirs(layout, x)
    const mode = { training: config.mode === "train" }
    const [x, upstream] = [ours(inputs.x), Layout.ours(layout, tensorOf(inputs.upstream))]
    const found: Array<Difference> = []
    const startNames = weightNames(layer, Layer.read(layer))
    for (const [theirs, wanted] of Object.entries(outputs.weight_quantizer_params_at_start))
      found.push(...differences(wanted, there(startNames[Answer.nameOf(theirs)]), theirs, ofLogarithms))
    tf.dispose([...Layer.tensorsIn(yield* Layer.forward(layer, ours(inputs.calib), Layer.training))])
    const losses = yield* trained(testCase, layer, x, inputs.target === undefined ? x : tensorOf(inputs.target))
    if (losses.length > 0) found.push(...near(outputs.losses, losses, "losses"))
    return yield* Layer.attempt(() => {
      const y = Layer.run(layer, mode, (states) => {
        const gradients = gradientsOf(layer, states, mode, x, upstream)
        const terms = tf.sum(tf.abs(upstream)).dataSync()[0] as number
        const byName = Object.fromEntries(
          Object.keys(testCase.grads ?? {}).map((theirs) => [theirs, there(gradients[Answer.nameOf(theirs)])])
        )
        found.push(...gradientDifferences(testCase.grads ?? {}, byName, "grads", () => terms))
        const quantized = quantizedWeight(layer, states, mode, x)
        const compare = (wanted: unknown, got: unknown, path: string): void => {
          found.push(...differences(wanted, got, path, config.train_steps > 0 ? ofTrained : ofLogarithms))
        }
        const about = { signed: true, training: mode.training, float: undefined, origin: undefined }
        const weight = QuantTensor.fromQuantized(quantized, about)
        compare(outputs.quant_weight, Answer.answerOf(weight, layout), "quant_weight")
        compare(outputs.pre_scale, there(quantized.preScale), "pre_scale")
        const centred = ofMeans(inputs.weight.data, outputs.pre_scale.data)
        found.push(
          ...differences(outputs.pre_zero_point, there(quantized.preZeroPoint), "pre_zero_point", () => centred)
        )
        const { l1, positive, negative } = Accumulator.channelNorms(weight, layer.outputChannelAxis)
        compare(outputs.integer_l1_norms, l1, "integer_l1_norms")
        compare(outputs.sum_positive, positive, "sum_positive")
        compare(outputs.sum_negative, negative, "sum_negative")
        found.push(...bounds(testCase))
        const state = weightNames(layer, states)
        for (const [theirs, wanted] of Object.entries(outputs.state))
          compare(wanted, there(state[Answer.nameOf(`weight_quant.${theirs}`)]), theirs)
        if (outputs.weight_after !== undefined) {
          const after = there(state.weight) as tf.Tensor
          found.push(...near(outputs.weight_after.data, after.dataSync(), "weight_after"))
        }
        const [y, after] = layer.apply(states, x, mode)
        compare(outputs.out, Layout.theirs(data, QuantTensor.dequantized(y)), "out.value")
        return [y, after]
      })
      tf.dispose([...Layer.tensorsIn(y)])
      return outcomeOf(testCase, found)
    })
  })

/** The bounds on the norms of integer weights. */
const bounds = ({ config, outputs }: Case): ReadonlyArray<Difference> => {
  const { accumulator_bit_width: accumulator, input_bit_width: input, input_signed: signed } = config
  const [p, n] = [tf.scalar(accumulator), tf.scalar(input)]
  const compared = (wanted: number | undefined, got: tf.Tensor, path: string): ReadonlyArray<Difference> =>
    wanted === undefined ? [] : differences({ shape: [], data: [wanted] }, got, path)
  return [
    ...compared(outputs.bound ?? outputs.l1_bound, Range.l1Bound(p, n, signed), "l1_bound"),
    ...compared(outputs.l1_bound_zero_centered, Range.centredL1Bound(p, n), "l1_bound_zero_centered")
  ]
}

/** A layer whose weight is quantized so cannot take a plain input. */
const replayPlainInput = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { inFeatures: 2, outFeatures: 1, weightQuant: Int8AccumulatorAwareWeightQuant }
    const layer = yield* Linear.quantLinear(options)
    const answered = yield* Effect.result(Layer.forward(layer, tf.ones([1, 2])))
    const failed = Result.isFailure(answered) && answered.failure._tag === "MissingInput"
    return outcomeOf(testCase, failed ? [] : [{ path: "forward", text: "forward: a plain input is taken" }])
  })

export const replay = (testCase: Case, backend: BackendName): Promise<Outcome> =>
  onAsync(backend, () => {
    if (testCase.outputs.forward !== undefined) return outcome(testCase, replayPlainInput(testCase))
    if (testCase.config.layer === undefined) return Promise.resolve(outcomeOf(testCase, bounds(testCase)))
    return outcome(testCase, replayLayer(testCase))
  })

/**
 * A float network becomes a quantized one: quantizers for its weights, biases and for what runs through it.
 *
 * Room: ptq (level 5). Imports: tfjs types, effect, `inject` types, `nn`, `proxy` types, `quant`, `tensor`, `./Prepare.ts`, `./Ptq.ts`,
 * `./QuantizePlan.ts`, `./Regions.ts`. Laws: test/ptq/Quantize.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type * as Injector from "../inject/Injector.ts"
import * as Activation from "../nn/Activation.ts"
import * as Elementwise from "../nn/Elementwise.ts"
import * as Fork from "../nn/Fork.ts"
import type * as Layer from "../nn/Layer.ts"
import * as Requantized from "../nn/Requantized.ts"
import type { Weighted } from "../nn/Weighted.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import type { NonFiniteWeights, UnknownLayer } from "../tensor/StepErrors.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as QuantizePlan from "./QuantizePlan.ts"
import * as Regions from "./Regions.ts"

/** The quantizers that a network gets. */
export interface Quantizers {
  /** default: `Int8WeightPerTensorFloat` */
  readonly weight?: Injector.Any
  /** for integers on the scale of the products; `null`: none; default: `Int32Bias` */
  readonly bias?: Injector.Any | null
  /** for values of both signs; default: `Int8ActPerTensorFloat` */
  readonly signed?: Injector.Any
  /** for what rectifiers and logistic functions answer; default: `Uint8ActPerTensorFloat` */
  readonly unsigned?: Injector.Any
}

export interface Options extends Prepare.Options {
  readonly quantizers?: Quantizers
}

export interface LayerwiseOptions extends Ptq.Reporting {
  readonly quantizers?: Quantizers
  /** layers, by their paths, that stay as they are */
  readonly skip?: ReadonlyArray<string>
}

/** What can be wrong. */
export type QuantizeError = Prepare.StructureError | NonFiniteWeights | Layer.BuildError

const step = "Quantize"

const filled = (given: Quantizers = {}): Required<Quantizers> => ({
  weight: ScaledInt.Int8WeightPerTensorFloat,
  bias: ScaledInt.Int32Bias,
  signed: ScaledInt.Int8ActPerTensorFloat,
  unsigned: ScaledInt.Uint8ActPerTensorFloat,
  ...given
})

type Built = Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope>

/** Of a constructor whose types have been checked elsewhere. */
const made = (make: unknown, options: object): Built => (make as (options: object) => Built)(options)

/** The layer that takes the place of one without a weight. */
const otherOf = ({ form, isUnsigned, output, isLast }: QuantizePlan.Other, all: Required<Quantizers>): Built => {
  const quant = isUnsigned ? all.unsigned : all.signed
  const act = { actQuant: quant, returnQuantTensor: !isLast }
  const join = { inputQuant: quant, outputQuant: output ? quant : null, returnQuantTensor: !isLast }
  switch (form.op) {
    case "relu":
      return made(Activation.quantReLU, act)
    case "sigmoid":
      return made(Activation.quantSigmoid, act)
    case "hardTanh":
      return made(Activation.quantHardTanh, { ...act, minVal: form.low, maxVal: form.high })
    case "concat":
      return made(Elementwise.quantCat, { ...join, axis: form.axis })
    default:
      return made(Elementwise.quantEltwiseAdd, join)
  }
}

const biasOf = ({ own }: Weighted, all: Required<Quantizers>): Injector.Any | null =>
  LeasedRef.current(own).parameters.bias === undefined ? null : all.bias

/** The layers in the place of those of a model, by their paths. */
const layersOf = (
  model: Ptq.Model,
  plan: QuantizePlan.Plan,
  all: Required<Quantizers>,
  cells: ReadonlyMap<Cell.Cell, Weighted>
): Effect.Effect<ReadonlyMap<string, Layer.Layer>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const byOwn = new Map<Cell.Cell, Layer.Layer>()
    const shared = new Map<tf.Tensor, QuantProxy>()
    for (const [own, { input, output, isLast }] of plan.products) {
      const layer = cells.get(own)
      if (layer === undefined) continue
      const next = yield* Requantized.make(layer, {
        weightQuant: all.weight,
        biasQuant: biasOf(layer, all),
        inputQuant: input === undefined ? null : (shared.get(input) ?? all.signed),
        outputQuant: output ? all.signed : null,
        returnQuantTensor: output && !isLast
      })
      if (input !== undefined && next.inputQuant !== undefined) shared.set(input, next.inputQuant)
      byOwn.set(own, next)
    }
    const others = new Map<string, Layer.Layer>()
    for (const [path, other] of plan.others) others.set(path, yield* otherOf(other, all))
    const places = new Map<string, Layer.Layer>()
    Prepare.replacing(model, (layer, path) => {
      const own = Regions.ownOf(layer)
      const next = others.get(path) ?? (own && byOwn.get(own))
      if (next !== undefined) places.set(path, next)
      return layer
    })
    return places
  })

/** The layers with weights by their own cells. */
const weightedIn = (model: Ptq.Model): ReadonlyMap<Cell.Cell, Weighted> =>
  new Map(Ptq.weighted(model).map(({ layer }) => [layer.own, layer]))

/** The model in the Scope, with other layers in some places. */
const rebuilt = <M extends Ptq.Model>(
  model: M,
  places: ReadonlyMap<string, Layer.Layer>
): Effect.Effect<M, never, Scope.Scope> =>
  Effect.map(Fork.make(model), (fork) => Prepare.replacing(fork, (layer, path) => places.get(path) ?? layer))

/**
 * Quantizes a float network: weights and biases; what the model takes and what its layers answer; rectifiers, logistic functions and
 * hard tanhs after them; the inputs of additions and concatenations on one grid. Layers pass quant tensors on, so that biases lie on
 * the scale of the products. Merge batch normalizations before, and calibrate afterwards.
 *
 * ```ts
 * const quantized = yield* pipe(
 *   float,
 *   MergeBatchNorm.merge({ input }),
 *   Effect.flatMap(Equalize.equalize({ input })),
 *   Effect.flatMap(Quantize.quantize({ input })),
 *   Effect.flatMap(Calibrate.calibrate(batches))
 * )
 * ```
 *
 * Recurrent and attention layers stay as they are (told to `report`): make them with their quantizers.
 *
 * - formula:  the float network's, each value and weight through its quantizer
 * - shapes:   `input [n, ...d]`
 * - gradient: through the quantizers
 * - errors:   NonFiniteWeights, which names the layer; InputError of the model; those of a resolution; the model is never changed
 * - source:   Brevitas, graph/quantize.py (quantize)
 *
 * @category quantizing
 * @since 0.4.0
 */
export const quantize =
  (options: Options): Ptq.Step<QuantizeError> =>
  (model) =>
    Effect.gen(function* () {
      const plan = yield* Prepare.looking(model, options.input, step, QuantizePlan.of)
      yield* Prepare.weightsOf(
        [...plan.products].map(([own, { name }]) => ({ name, own })),
        step
      )
      const places = yield* layersOf(model, plan, filled(options.quantizers), weightedIn(model))
      const next = yield* rebuilt(model, places)
      const skipped = plan.unknown.map((layer) => ({ layer, reason: "what it computes is not known as data" }))
      yield* Prepare.done(options, step, [...places.keys()], skipped)
      return next
    })

/**
 * Quantizes each layer with a weight alone: its input, weight and bias. Nothing else changes, so that the structure of the model does
 * not matter.
 *
 * - formula:  `y = Q(x) Q(W) + Q(b)` for each layer
 * - shapes:   those of the model
 * - gradient: through the quantizers
 * - errors:   UnknownLayer for a path in `skip` that is none; NonFiniteWeights; those of a resolution; the model is never changed
 * - source:   Brevitas, graph/quantize.py (layerwise_quantize)
 *
 * @category quantizing
 * @since 0.4.0
 */
export const layerwise =
  (options: LayerwiseOptions = {}): Ptq.Step<QuantizeError | UnknownLayer> =>
  (model) =>
    Effect.gen(function* () {
      const { skip = [] } = options
      for (const path of skip) yield* Ptq.find(model, path, step)
      const all = filled(options.quantizers)
      const layers = Ptq.weighted(model).filter(({ name }) => !skip.includes(name))
      yield* Prepare.weightsOf(
        layers.map(({ name, layer: { own } }) => ({ name, own })),
        step
      )
      const byOwn = new Map<Cell.Cell, Layer.Layer>()
      for (const { layer } of layers) {
        const quantizers = { weightQuant: all.weight, biasQuant: biasOf(layer, all), inputQuant: all.signed }
        byOwn.set(layer.own, yield* Requantized.make(layer, quantizers))
      }
      const places = new Map<string, Layer.Layer>()
      Prepare.replacing(model, (layer, path) => {
        const own = Regions.ownOf(layer)
        const next = own && byOwn.get(own)
        if (next !== undefined) places.set(path, next)
        return layer
      })
      const next = yield* rebuilt(model, places)
      yield* Prepare.done(options, step, [...places.keys()])
      return next
    })

/**
 * Activation equalization over a model: channels of which the values are large become smaller, and the weights that read them larger,
 * so that both can be quantized with one scale (SmoothQuant).
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `tensor`, `./ActivationSizes.ts`, `./Beside.ts`,
 * `./Change.ts`, `./Channels.ts`, `./Equalize.ts`, `./EqualizeMath.ts`,
 * `./Prepare.ts`, `./Ptq.ts`, `./Regions.ts`. Laws: test/ptq/ActivationEqualize.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { NoCalibrationData, NonFiniteActivations, NonFiniteWeights, UnknownLayer } from "../tensor/StepErrors.ts"
import * as ActivationSizes from "./ActivationSizes.ts"
import * as Beside from "./Beside.ts"
import * as Change from "./Change.ts"
import * as Channels from "./Channels.ts"
import * as Equalize from "./Equalize.ts"
import * as EqualizeMath from "./EqualizeMath.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as Regions from "./Regions.ts"

interface Common {
  /** how much of the differences the weights take over: 0 none, 1 all; default: 0.5 */
  readonly alpha?: number
  /** default: "maxabs" */
  readonly measure?: Channels.Measure
}

export interface Options extends Prepare.Options, Common {
  /** whether a scale is inserted after functions that a factor does not pass, as tanh; default: false */
  readonly insert?: boolean
  /** whether the sizes of values count as those of the weights that make them, half and half; default: false */
  readonly coOptimize?: boolean
}

export interface LayerwiseOptions extends Ptq.Reporting, Common {
  /** layers, by their paths, that stay as they are */
  readonly skip?: ReadonlyArray<string>
}

/** What can be wrong, apart from the stream. */
export type EqualizeError =
  | Prepare.StructureError
  | NoCalibrationData
  | NonFiniteActivations
  | NonFiniteWeights
  | Layer.BuildError

const name = "ActivationEqualize"

const wrong = ({ alpha = 0.5 }: Common): InvalidOptions | undefined =>
  alpha >= 0 && alpha <= 1
    ? undefined
    : new InvalidOptions({ what: name, option: "alpha", reason: `must lie within 0..1; it is ${alpha}` })

/** The model with a scale before, or after, some layers. */
const inserted = <M extends Ptq.Model>(model: M, scales: ReadonlyMap<string, Layer.Layer>, isBefore: boolean): M =>
  Prepare.replacing(model, (layer, path) => {
    const scale = scales.get(path)
    if (scale === undefined) return layer
    return (isBefore ? Beside.scaleBefore : Beside.scaleAfter)(scale)(layer)
  })

/** The places of scales, those of one scale together. */
const recorded = (kind: Change.Kind, scales: ReadonlyMap<string, Layer.Layer>): Ptq.StepDone["changes"] =>
  Change.placed(
    kind,
    [...new Set(scales.values())].map((scale) => [...scales.keys()].filter((path) => scales.get(path) === scale))
  )

/** The factors of the channels of one region, given the sizes of what its sinks read. */
const factorsOf = (
  weights: Prepare.Weights,
  region: Regions.Region,
  sizes: ReadonlyMap<unknown, ActivationSizes.Seen>,
  { alpha = 0.5, measure = "maxabs", coOptimize = false }: Options
): Float32Array => {
  const to = region.sinks.map((part) => Equalize.sinkOf(weights, part, measure))
  const seen = Equalize.largest(
    region,
    region.sinks.flatMap(({ own, inputs = [] }) => {
      const found = sizes.get(own)
      return found === undefined ? [] : [{ numbers: inputs, sizes: ActivationSizes.sizesOf(found, measure) }]
    })
  )
  const made = Equalize.largest(
    region,
    region.sources.map((part) => Equalize.sourceOf(weights, part, { mergeBias: false, measure }))
  )
  const from = coOptimize && region.sources.length > 0 ? seen.map((size, i) => (size + (made[i] as number)) / 2) : seen
  return EqualizeMath.factors(from, Equalize.largest(region, to), alpha)
}

/**
 * Equalizes what runs through a model with the weights that read it. The factors are taken over by the layers that make the values, as
 * in `Equalize.equalize`; with `insert`, functions as tanh are followed by a scale (`tanh` becomes `tanh.act` and `tanh.scale`). The
 * float network computes the same.
 *
 * All quantizers begin anew: calibrate afterwards.
 *
 * - formula:  `s_c = sink_c^(1 - alpha) / x_c^alpha`, `x_c` the size of the values of a channel over all batches; with `coOptimize`
 *   `(x_c + source_c) / 2` in its place; `W_source, b_source` times s, `W_sink` divided
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations and NonFiniteWeights, which name the layer; UnknownStructure; InvalidOptions;
 *   InputError of the model; the model is never changed
 * - source:   Xiao et al. 2022, arXiv:2211.10438; Brevitas, graph/equalize.py (activation_equalization_mode)
 *
 * @category preparing
 * @since 0.4.0
 */
export const equalize =
  <E = never, R = never>(batches: Ptq.Batches<E, R>, options: Options): Ptq.Step<EqualizeError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const bad = wrong(options)
      if (bad !== undefined) return yield* bad
      const { input, insert: acts = false } = options
      const regions = yield* Prepare.regions(model, { input, acts, step: name })
      const parts = Equalize.partsOf(regions)
      const before = yield* Prepare.weightsOf(parts, name)
      const readers = parts.filter((part) => regions.some(({ sinks }) => sinks.includes(part)))
      const { sizes, batches: count } = yield* ActivationSizes.of(model, batches, readers, { ...options, step: name })
      const scales = new Map<string, Layer.Layer>()
      let weights = before
      for (const region of regions) {
        const factors = factorsOf(weights, region, sizes, options)
        weights = Equalize.applied(weights, region, factors)
        for (const act of region.acts)
          scales.set(act.name, yield* Prepare.scaling(Equalize.spread(region, act.outputs, factors)))
      }
      const next = yield* Prepare.rewritten(inserted(model, scales, false), weights, "all")
      yield* Ptq.told(options, {
        _tag: "StepDone",
        step: name,
        layers: Prepare.namesIn(regions),
        skipped: [],
        batches: count,
        changes: recorded("scaleAfter", scales)
      })
      return next
    })

/**
 * Equalizes each layer alone: a scale of its own stands before it (`fc` becomes `fc.scale` and `fc.layer`), and its weight is divided.
 * This works for any model, at the cost of a product for each value that is read. The float network computes the same.
 *
 * - formula:  `s_c = W_c^(1 - alpha) / x_c^alpha`; `fc(x) = (x s) (W / s) + b`
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   as `equalize`; UnknownLayer for a path in `skip` that is none
 * - source:   Xiao et al. 2022, arXiv:2211.10438; Brevitas, graph/equalize.py (LayerwiseActivationEqualization)
 *
 * @category preparing
 * @since 0.4.0
 */
export const layerwise =
  <E = never, R = never>(
    batches: Ptq.Batches<E, R>,
    options: LayerwiseOptions = {}
  ): Ptq.Step<EqualizeError | UnknownLayer | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const bad = wrong(options)
      if (bad !== undefined) return yield* bad
      const { alpha = 0.5, measure = "maxabs", skip = [] } = options
      for (const path of skip) yield* Ptq.find(model, path, name)
      const layers = Ptq.weighted(model).flatMap(({ name: path, layer: { own, form } }) =>
        skip.includes(path) || !Channels.isChannelled(form) || form.op === "scaleBias"
          ? []
          : [{ name: path, own, form }]
      )
      const before = yield* Prepare.weightsOf(layers, name)
      const { sizes, batches: count } = yield* ActivationSizes.of(model, batches, layers, { ...options, step: name })
      const weights = new Map(before)
      const scales = new Map<unknown, Layer.Layer>()
      for (const { own, form } of layers) {
        const seen = sizes.get(own)
        const { weight, ...rest } = before.get(own) as Readonly<Record<string, Ptq.Host>> & { weight: Ptq.Host }
        if (seen === undefined) continue
        const side = Channels.inputsOf(form, weight.shape)
        const to = Channels.sizesOf(side, weight.data, measure)
        const factors = EqualizeMath.factors(ActivationSizes.sizesOf(seen, measure), to, alpha)
        weights.set(own, { ...rest, weight: { ...weight, data: Channels.over(side, weight.data, factors) } })
        scales.set(own, yield* Prepare.scaling(factors))
      }
      const places = new Map<string, Layer.Layer>()
      Prepare.replacing(model, (layer, path) => {
        const scale = scales.get(Regions.ownOf(layer))
        if (scale !== undefined) places.set(path, scale)
        return layer
      })
      const next = yield* Prepare.rewritten(inserted(model, places, true), weights, "all")
      const [done, rest] = [layers.filter(({ own }) => scales.has(own)), layers.filter(({ own }) => !scales.has(own))]
      yield* Ptq.told(options, {
        _tag: "StepDone",
        step: name,
        layers: done.map((layer) => layer.name),
        skipped: rest.map((layer) => ({ layer: layer.name, reason: "no batch reached it" })),
        batches: count,
        changes: recorded("scaleBefore", places)
      })
      return next
    })

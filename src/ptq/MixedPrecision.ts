/**
 * Mixed precision: for each layer the weight quantizer, of several, by which the network loses least within a budget.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, `./ChooseMath.ts`, `./Declared.ts`, `./Noise.ts`,
 * `./Ptq.ts`.
 * Laws: test/ptq/Choose.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { type InvalidRecipe, type NoCalibrationData, NonFiniteActivations } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as ChooseMath from "./ChooseMath.ts"
import * as Declared from "./Declared.ts"
import * as Noise from "./Noise.ts"
import * as Ptq from "./Ptq.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A weight quantizer to choose from, as a recipe says it. */
export type Candidate = Declared.Declared

/** What a candidate makes of a layer. */
export interface Measured {
  /** bits of a weight; 32 for floats */
  readonly bits: number
  /** of the network's output, with this layer's weight alone quantized so */
  readonly noise: Noise.Noise
}

export interface Row {
  readonly layer: string
  readonly weights: number
  /** products of a weight with an input, for one sample */
  readonly products: number
  /** as many as there are candidates */
  readonly measured: ReadonlyArray<Measured>
}

/** Plain numbers and declarations: it can be saved as JSON, and budgets tried on it. */
export interface Measurement {
  readonly candidates: ReadonlyArray<Candidate>
  readonly rows: ReadonlyArray<Row>
}

/** Bits of all weights, or bits times products of one sample: so many at most, or so many for each weight or product on average. */
export type Budget = { readonly of: "size" | "operations" } & ({ readonly most: number } | { readonly mean: number })

/** A choice: what it costs, and the noise that it is expected to make. */
export interface Chosen {
  /** for each layer which of the candidates */
  readonly layers: ReadonlyArray<{ readonly layer: string; readonly candidate: Candidate; readonly bits: number }>
  readonly cost: number
  /** the sum of the noise that each layer alone makes at the network's output */
  readonly noise: number
}

// ---- measuring ----------------------------------------------------------------------------------------------

const weightsOnly = Layer.without(Layer.evaluation, ["bias", ...Layer.activationSlots])
const plain = Layer.without(Layer.evaluation)

interface Trial {
  readonly target: Ptq.Named
  readonly model: Ptq.Model
  readonly bits: number
  noise: Noise.Noise
}

const weightOf = ({ own }: Ptq.Named["layer"]): tf.Tensor => LeasedRef.current(own).parameters.weight as tf.Tensor

const bitsOf = (model: Ptq.Model, name: string): number => {
  const layer = Ptq.weighted(model).find((one) => one.name === name)?.layer
  const proxy = layer?.weightQuant
  if (layer === undefined || proxy === undefined) return 32
  const found = { bits: 32 }
  tf.tidy(() => {
    const [y] = Layer.quantize(Layer.prepare(Layer.read(layer), weightsOnly), proxy, weightOf(layer), weightsOnly)
    if (QuantTensor.isQuantTensor(y)) found.bits = Math.max(...y.bitWidth.dataSync())
  })
  return found.bits
}

const trial = (
  model: Ptq.Model,
  target: Ptq.Named,
  candidate: Candidate
): Effect.Effect<Trial, ResolutionError | Layer.InputError, Scope.Scope> =>
  Effect.gen(function* () {
    const injector = Declared.injectorOf(candidate)
    const mine = yield* Fork.requantized(model, (_, proxy) =>
      proxy === target.layer.weightQuant ? injector : proxy.slot === "weight" ? null : undefined
    )
    const bits = yield* Layer.attempt(() => bitsOf(mine, target.name))
    return { target, model: mine, bits, noise: Noise.none }
  })

/** One batch through the float network and all that are on trial; counts the products of each layer at the first. */
const observe = (
  model: Ptq.Model,
  trials: ReadonlyArray<Trial>,
  products: Map<string, number>,
  targets: ReadonlyArray<Ptq.Named>,
  batch: Ptq.Batch
): void => {
  const x = Ptq.inputOf(batch)
  const samples = x.shape[0] ?? 1
  const first = products.size === 0
  const counted = Ptq.wrapping(model, new Set(targets.map(({ layer }) => layer.own)), (layer) => (states, input) => {
    const answer = layer.apply(states, input, plain)
    const name = targets.find((one) => one.layer.own === layer.own)?.name ?? ""
    const weight = weightOf(layer)
    const channels = weight.shape[layer.outputChannelAxis] ?? 1
    const places = Noise.valuesOf(answer[0]).reduce((sum, { size }) => sum + size, 0) / channels / samples
    if (first) products.set(name, (products.get(name) ?? 0) + places * weight.size)
    return answer
  })
  const [wanted] = counted.apply(Layer.prepare(Layer.read(model), plain), x, plain)
  for (const one of trials)
    tf.tidy(() => {
      const [y] = one.model.apply(Layer.prepare(Layer.read(one.model), weightsOnly), x, weightsOnly)
      one.noise = Noise.added(one.noise, wanted, y)
    })
}

/** What is wrong with candidates: there are none, or one that is not in the catalogue. */
export const wrongIn = (candidates: ReadonlyArray<Candidate>): InvalidOptions | InvalidRecipe | undefined =>
  candidates.length === 0
    ? new InvalidOptions({ what: "MixedPrecision", option: "candidates", reason: "must be one at least" })
    : candidates
        .map((one, i) => Declared.wrongIn("MixedPrecision", one, `candidates[${i}]`))
        .find((wrong) => wrong !== undefined)

/**
 * Measures for each layer with a weight quantizer, and each candidate in its place, what the network's output loses by it alone, in one
 * pass over the batches. Nothing is changed.
 *
 * - formula:  `sum (f(x) - f_l,c(x))^2` for the network `f_l,c` in which the weight of the layer l alone is quantized by c
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   InvalidOptions for no candidates; InvalidRecipe for one that is not in the catalogue; what a resolution fails with;
 *   NoCalibrationData; NonFiniteActivations; InputError of the model
 * - source:   Dong et al. 2019, arXiv:1905.03696 (there by the Hessian); Brevitas has none
 *
 * @category choosing
 * @since 0.4.0
 */
export const measure = <E = never, R = never>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  candidates: ReadonlyArray<Candidate>,
  options: Ptq.Reporting = {}
): Effect.Effect<
  Measurement,
  InvalidOptions | InvalidRecipe | ResolutionError | NoCalibrationData | NonFiniteActivations | Layer.InputError | E,
  R
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const step = "MixedPrecision"
      const wrong = wrongIn(candidates)
      if (wrong !== undefined) return yield* wrong
      const targets = Ptq.weighted(model).filter(({ layer }) => layer.weightQuant !== undefined)
      const trials = yield* Effect.forEach(targets, (target) =>
        Effect.forEach(candidates, (candidate) => trial(model, target, candidate))
      )
      const products = new Map<string, number>()
      const seen = (batch: Ptq.Batch) =>
        Layer.attempt(() => {
          tf.tidy(() => observe(model, trials.flat(), products, targets, batch))
        })
      yield* Ptq.passed(batches, seen, { step, ...options })
      const bad = trials.flat().find(({ noise }) => !Noise.isKnown(noise))
      if (bad !== undefined) return yield* new NonFiniteActivations({ step, layer: bad.target.name })
      const rows = targets.map(
        ({ name, layer }, i): Row => ({
          layer: name,
          weights: weightOf(layer).size,
          products: products.get(name) ?? 0,
          measured: (trials[i] ?? []).map(({ bits, noise }) => ({ bits, noise }))
        })
      )
      return { candidates, rows }
    })
  )

// ---- choosing -----------------------------------------------------------------------------------------------

const itemsOf = ({ rows }: Measurement, of: Budget["of"]): ChooseMath.Items =>
  rows.map(({ weights, products, measured }) =>
    measured.map(({ bits, noise }) => ({ cost: bits * (of === "size" ? weights : products), loss: noise.noise }))
  )

/** What a budget comes to for these layers. */
const mostOf = ({ rows }: Measurement, budget: Budget): number => {
  if ("most" in budget) return budget.most
  const count = rows.reduce((sum, { weights, products }) => sum + (budget.of === "size" ? weights : products), 0)
  return budget.mean * count
}

/**
 * Chooses a candidate for each layer so that the sum of their noise at the network's output is small within a budget: exactly, the
 * smallest there is, or greedily. The sum is a guess of what the layers lose together: measure the network that comes of it.
 *
 * - formula:  `ChooseMath.exact`, `ChooseMath.greedy`
 * - shapes:   rows to a candidate for each
 * - gradient: none
 * - errors:   InvalidOptions where the budget is less than the cheapest choice costs, which it names
 * - source:   Nemhauser and Ullmann 1969; Dantzig 1957
 *
 * @category choosing
 * @since 0.4.0
 */
export const choose = (
  measurement: Measurement,
  budget: Budget,
  search: "exact" | "greedy" = "exact"
): Effect.Effect<Chosen, InvalidOptions> =>
  Effect.suspend(() => {
    const items = itemsOf(measurement, budget.of)
    const most = mostOf(measurement, budget)
    const choice = (search === "exact" ? ChooseMath.exact : ChooseMath.greedy)(items, most)
    if (choice === undefined) {
      const least = ChooseMath.leastCost(items)
      const reason = `of ${budget.of} is ${most}, and the cheapest candidates cost ${least}; give more, or candidates of fewer bits`
      return Effect.fail(new InvalidOptions({ what: "MixedPrecision", option: "budget", reason }))
    }
    const { cost, loss } = ChooseMath.total(items, choice)
    const layers = measurement.rows.map(({ layer, measured }, i) => {
      const index = choice[i] as number
      const { bits } = measured[index] as Measured
      return { layer, candidate: measurement.candidates[index] as Candidate, bits }
    })
    return Effect.succeed({ layers, cost, noise: loss })
  })

/** What was chosen as quantizers of a recipe: `{ ...recipe, quantizers: [...recipe.quantizers, ...MixedPrecision.quantizers(chosen)] }`. */
export const quantizers = ({ layers }: Chosen): ReadonlyArray<Declared.Declared & { readonly match: string }> =>
  layers.map(({ layer, candidate }) => ({
    match: layer === "" ? "weightQuant" : `${layer}.weightQuant`,
    ...candidate
  }))

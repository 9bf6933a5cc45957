/**
 * Sensitivity: what each layer loses, and what the network loses by it, quantized alone and all together.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `tensor`, `./Noise.ts`, `./Ptq.ts`. Laws: test/ptq/Choose.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Layer from "../nn/Layer.ts"
import { isComposed } from "../nn/Model.ts"
import { type NoCalibrationData, NonFiniteActivations } from "../tensor/Errors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Noise from "./Noise.ts"
import * as Ptq from "./Ptq.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A layer with quantizers. */
export interface Row {
  readonly layer: string
  readonly kind: string
  /** how many numbers it has learned itself; 0 for activations */
  readonly weights: number
  /** of its output, from the inputs of the float network, with its own quantizers */
  readonly own: Noise.Noise
  /** of the network's output when this layer alone is quantized */
  readonly network: Noise.Noise
  /** of its output when the whole network is quantized */
  readonly joint: Noise.Noise
}

export interface Sensitivity {
  readonly batches: number
  readonly rows: ReadonlyArray<Row>
  /** of the network's output when all of it is quantized */
  readonly network: Noise.Noise
}

// ---- layers -------------------------------------------------------------------------------------------------

interface Leaf {
  readonly name: string
  readonly layer: Layer.Layer
}

const pathOf = (outer: string, inner: string): string => (outer === "" ? inner : `${outer}.${inner}`)

/** The layers with quantizers, each once, by its first path. */
const leavesOf = (model: Layer.Stateful, path = ""): ReadonlyArray<Leaf> => {
  const all = isComposed(model)
    ? Object.entries(model.layers).flatMap(([name, layer]) => leavesOf(layer, pathOf(path, name)))
    : model.proxies.length === 0
      ? []
      : [{ name: path, layer: model as Layer.Layer }]
  return all.filter(({ layer }, i) => all.findIndex((other) => other.layer === layer) === i)
}

type Apply = Layer.Layer["apply"]

/** The same model with other formulas for some layers. */
const over = <M extends Layer.Stateful>(model: M, formula: (layer: Layer.Layer) => Apply | undefined): M => {
  const each = (one: Layer.Stateful): Layer.Stateful => {
    if (isComposed(one))
      return one.over(Object.fromEntries(Object.entries(one.layers).map(([name, inner]) => [name, each(inner)])))
    const apply = formula(one as Layer.Layer)
    return apply === undefined ? one : ({ ...one, apply } as Layer.Layer)
  }
  return each(model) as M
}

const plain = Layer.without(Layer.evaluation)
/** All quantizers of one layer: a bias whose grid depends on the format of the input has none where the input is plain. */
const alone = Layer.without(Layer.evaluation, ["bias"])

// ---- measuring ----------------------------------------------------------------------------------------------

interface Sums {
  own: Noise.Noise
  network: Noise.Noise
  joint: Noise.Noise
}

/** One batch through the float network, the quantized one, and one for each layer; within a `tf.tidy`. */
const observe = (
  model: Ptq.Model,
  leaves: ReadonlyArray<Leaf>,
  sums: ReadonlyMap<Layer.Layer, Sums>,
  batch: Ptq.Batch,
  whole: { network: Noise.Noise }
): void => {
  const x = Ptq.inputOf(batch)
  const states = Layer.prepare(Layer.read(model), Layer.evaluation)
  const float = new Map<Layer.Layer, Array<Layer.Values>>()
  const watching = over(model, (layer) => {
    const sum = sums.get(layer)
    if (sum === undefined) return undefined
    return (all, input) => {
      const [y] = layer.apply(all, input, plain)
      sum.own = Noise.added(sum.own, y, layer.apply(all, input, alone)[0])
      float.set(layer, [...(float.get(layer) ?? []), y])
      return [y, all]
    }
  })
  const [wanted] = watching.apply(states, x, plain)
  const calls = new Map<Layer.Layer, number>()
  const comparing = over(model, (layer) => {
    const sum = sums.get(layer)
    if (sum === undefined) return undefined
    return (all, input, mode) => {
      const answer = layer.apply(all, input, mode)
      const call = calls.get(layer) ?? 0
      calls.set(layer, call + 1)
      sum.joint = Noise.added(sum.joint, float.get(layer)?.[call] as Layer.Values, answer[0])
      return answer
    }
  })
  whole.network = Noise.added(whole.network, wanted, comparing.apply(states, x, Layer.evaluation)[0])
  for (const { layer } of leaves) {
    const one = over(model, (other) => (other === layer ? (all, input) => layer.apply(all, input, alone) : undefined))
    const sum = sums.get(layer) as Sums
    tf.tidy(() => {
      sum.network = Noise.added(sum.network, wanted, one.apply(states, x, plain)[0])
    })
  }
}

const learnedBy = (layer: Layer.Stateful): number =>
  layer.cells
    .filter(([, cell]) => LeasedRef.current(cell).quantizer === undefined)
    .flatMap(([, cell]) => Tree.tensors(LeasedRef.current(cell).parameters))
    .reduce((sum, { size }) => sum + size, 0)

/**
 * Measures how sensitive a network is to the quantization of each of its layers: signal-to-noise ratios of the layer's output and of the
 * network's, with this layer alone quantized, and with all of it quantized. Nothing is changed.
 *
 * - formula:  `Noise.decibels` over all batches
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the first layer; InputError of the model
 * - source:   Brevitas has none; Wu et al. 2020, arXiv:2004.09602 (section 6.1, sensitivity analysis)
 *
 * @category choosing
 * @since 0.4.0
 */
export const measure = <E = never, R = never>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting = {}
): Effect.Effect<Sensitivity, NoCalibrationData | NonFiniteActivations | Layer.InputError | E, R> =>
  Effect.gen(function* () {
    const step = "Sensitivity"
    const leaves = leavesOf(model)
    const { none } = Noise
    const sums = new Map(
      leaves.map(({ layer }): [Layer.Layer, Sums] => [layer, { own: none, network: none, joint: none }])
    )
    const whole = { network: none }
    const seen = (batch: Ptq.Batch) =>
      Layer.attempt(() => {
        tf.tidy(() => observe(model, leaves, sums, batch, whole))
      })
    const count = yield* Ptq.passed(batches, seen, { step, ...options })
    const rows = leaves.map(
      ({ name, layer }): Row => ({
        layer: name,
        kind: layer.kind,
        weights: learnedBy(layer),
        ...(sums.get(layer) as Sums)
      })
    )
    const wrong = rows.find(({ own, network, joint }) => ![own, network, joint].every(Noise.isKnown))
    if (wrong !== undefined) return yield* new NonFiniteActivations({ step, layer: wrong.layer })
    return { batches: count, rows, network: whole.network }
  })

// ---- as a table ---------------------------------------------------------------------------------------------

export const headers: ReadonlyArray<string> = [
  "layer",
  "kind",
  "weights",
  "alone: layer (dB)",
  "alone: network (dB)",
  "together: layer (dB)"
]

/** The rows as texts, the layer by which the network loses most first. */
export const cells = ({ rows }: Sensitivity): ReadonlyArray<ReadonlyArray<string>> =>
  rows
    .toSorted((a, b) => Noise.decibels(a.network) - Noise.decibels(b.network))
    .map(({ layer, kind, weights, own, network, joint }) => [
      layer,
      kind,
      weights === 0 ? "–" : `${weights}`,
      Noise.shown(own),
      Noise.shown(network),
      Noise.shown(joint)
    ])

/**
 * Sensitivity: what each layer loses, and what the network loses by it, quantized alone and all together.
 *
 * Room: ptq (level 5). Imports: tfjs, effect, `nn`, `tensor`, `./Noise.ts`, `./Ptq.ts`. Laws: test/ptq/Choose.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Layer from "../nn/Layer.ts"
import { isComposed } from "../nn/Model.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { nearest } from "../tensor/Nearest.ts"
import { type NoCalibrationData, NonFiniteActivations, UnknownLayer } from "../tensor/StepErrors.ts"
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

/** What each layer loses, and the network. */
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
const over = <M extends Layer.Stateful>(model: M, formulas: ReadonlyMap<Layer.Stateful, Apply>): M => {
  const each = (one: Layer.Stateful): Layer.Stateful => {
    if (isComposed(one))
      return one.over(Object.fromEntries(Object.entries(one.layers).map(([name, inner]) => [name, each(inner)])))
    const apply = formulas.get(one)
    return apply === undefined ? one : ({ ...one, apply } as Layer.Layer)
  }
  return each(model) as M
}

/** The layer of a path. */
const at = (model: Layer.Stateful, path: string): Layer.Layer | undefined => {
  if (path === "") return isComposed(model) ? undefined : (model as Layer.Layer)
  if (!isComposed(model)) return undefined
  const found = Object.entries(model.layers).flatMap(([name, layer]) => {
    if (path === name) return isComposed(layer) ? [] : [layer as Layer.Layer]
    const inner = path.startsWith(`${name}.`) ? at(layer, path.slice(name.length + 1)) : undefined
    return inner === undefined ? [] : [inner]
  })
  return found[0]
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

/** A layer as it is quantized, the same one of the float network, and what was summed up. */
interface Watched extends Leaf {
  readonly float: Layer.Layer
  readonly sums: Sums
}

/** One batch through the float network, the quantized one, and one for each layer; within a `tf.tidy`. */
const observe = (
  models: { readonly model: Ptq.Model; readonly float: Ptq.Model },
  leaves: ReadonlyArray<Watched>,
  batch: Ptq.Batch,
  whole: { network: Noise.Noise }
): void => {
  const { model, float } = models
  const x = Ptq.inputOf(batch)
  const read = (one: Ptq.Model): Layer.States => Layer.prepare(Layer.read(one), Layer.evaluation)
  // cells tell both models apart
  const states: Layer.States = new Map([...read(float), ...read(model)])
  const seen = new Map<Layer.Layer, Array<Layer.Values>>()
  const watching = leaves.map(({ layer, float: original, sums }): readonly [Layer.Layer, Apply] => [
    original,
    (all, input) => {
      const [y] = original.apply(all, input, plain)
      sums.own = Noise.added(sums.own, y, layer.apply(all, input, alone)[0])
      seen.set(layer, [...(seen.get(layer) ?? []), y])
      return [y, all]
    }
  ])
  const [wanted] = over(float, new Map(watching)).apply(states, x, plain)
  const calls = new Map<Layer.Layer, number>()
  const comparing = leaves.map(({ layer, sums }): readonly [Layer.Layer, Apply] => [
    layer,
    (all, input, mode) => {
      const answer = layer.apply(all, input, mode)
      const call = calls.get(layer) ?? 0
      calls.set(layer, call + 1)
      const y = seen.get(layer)?.[call]
      if (y !== undefined) sums.joint = Noise.added(sums.joint, y, answer[0])
      return answer
    }
  ])
  const [answered] = over(model, new Map(comparing)).apply(states, x, Layer.evaluation)
  whole.network = Noise.added(whole.network, wanted, answered)
  for (const { layer, float: original, sums } of leaves)
    tf.tidy(() => {
      const one = over(float, new Map([[original, (all, input) => [layer.apply(all, input, alone)[0], all]]]))
      sums.network = Noise.added(sums.network, wanted, one.apply(states, x, plain)[0])
    })
}

const learnedBy = (layer: Layer.Stateful): number =>
  layer.cells
    .filter(([, cell]) => LeasedRef.current(cell).quantizer === undefined)
    .flatMap(([, cell]) => Tree.tensors(LeasedRef.current(cell).parameters))
    .reduce((sum, { size }) => sum + size, 0)

export interface Options extends Ptq.Reporting {
  /** the network with the weights from before they were rounded, its layers by the same paths; default: as the model stores them */
  readonly float?: Ptq.Model
}

/**
 * Measures how sensitive a network is to the quantization of each of its layers: signal-to-noise ratios of the layer's output and of the
 * network's, with this layer alone quantized, and with all of it quantized. Nothing is changed.
 *
 * Steps that round store weights which are on the grid already: compare with the network from before (`float`).
 *
 * - formula:  `Noise.decibels` over all batches
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the first layer; UnknownLayer for a layer that `float` has not;
 *   InputError of the models
 * - source:   Brevitas has none; Wu et al. 2020, arXiv:2004.09602 (section 6.1, sensitivity analysis)
 *
 * @category choosing
 * @since 0.4.0
 */
export const measure = <E = never, R = never>(
  model: Ptq.Model,
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Effect.Effect<Sensitivity, NoCalibrationData | NonFiniteActivations | UnknownLayer | Layer.InputError | E, R> =>
  Effect.gen(function* () {
    const step = "Sensitivity"
    const { float = model, report } = options
    const { none } = Noise
    const found = leavesOf(model).map(({ name, layer }) => ({ name, layer, float: at(float, name) }))
    const absent = found.find((leaf) => leaf.float === undefined)
    if (absent !== undefined) {
      const known = leavesOf(float).map(({ name }) => name)
      return yield* new UnknownLayer({ step, layer: absent.name, known, nearest: nearest(absent.name, known) })
    }
    const leaves = found.map(
      (leaf): Watched => ({
        ...leaf,
        float: leaf.float as Layer.Layer,
        sums: { own: none, network: none, joint: none }
      })
    )
    const whole = { network: none }
    const seen = (batch: Ptq.Batch) =>
      Layer.attempt(() => {
        tf.tidy(() => observe({ model, float }, leaves, batch, whole))
      })
    const count = yield* Ptq.passed(batches, seen, { step, report })
    const rows = leaves.map(
      ({ name, layer, sums }): Row => ({ layer: name, kind: layer.kind, weights: learnedBy(layer), ...sums })
    )
    const wrong = rows.find(({ own, network, joint }) => ![own, network, joint].every(Noise.isKnown))
    if (wrong !== undefined) return yield* new NonFiniteActivations({ step, layer: wrong.layer })
    return { batches: count, rows, network: whole.network }
  })

// ---- as a table ---------------------------------------------------------------------------------------------

/** The heads of the columns of `cells`. */
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

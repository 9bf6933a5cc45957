/**
 * Where a training step stopped to be finite: the first tensor that has an element which is NaN or infinite.
 *
 * Only asked when something has gone wrong: it reads every tensor, and runs the model once more with eyes on its quantizers.
 *
 * Room: train (level 5). Imports: tfjs, `core`, `nn`, `tensor`, its own room. Laws: test/train/Train.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Named } from "../core/Optimizer.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Layer from "../nn/Layer.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Finite from "./Finite.ts"
import * as Learned from "./Learned.ts"

/** What was seen first. */
interface Seen {
  where?: string
}

const watched = (quantizer: TensorQuantizer, name: string, seen: Seen): TensorQuantizer => ({
  ...quantizer,
  apply: (state, x, external) => {
    if (!Finite.all(x)) seen.where ??= `what enters the quantizer "${name}"`
    const answer = quantizer.apply(state, x, external)
    const [{ value, scale, zeroPoint }] = answer
    const wrong = Object.entries({ scale, zeroPoint, value }).find(([, tensor]) => !Finite.all(tensor))
    if (wrong !== undefined) seen.where ??= `the ${wrong[0]} of the quantizer "${name}"`
    return answer
  }
})

/** States with quantizers that look at what they get and answer. */
interface Watched {
  readonly seen: Seen
  readonly states: Layer.States
}

const watching = (prefixes: Learned.Prefixes, states: Layer.States): Watched => {
  const seen: Seen = {}
  const watchful = [...states].map(([cell, state]) => {
    const { quantizer } = state
    const name = (prefixes.get(cell) ?? "").slice(0, -1)
    return [cell, quantizer === undefined ? state : { ...state, quantizer: watched(quantizer, name, seen) }] as const
  })
  return { seen, states: new Map(watchful) }
}

/** Of a model's forward pass from these states: what it is given, what it has, what its quantizers see, what it answers. */
export const ofForward = (model: Layer.Layer, states: Layer.States, x: Layer.Value): string | undefined => {
  if (!QuantTensor.tensorsOf(x).every(Finite.all)) return "the input of the model"
  const prefixes = Learned.prefixesOf(model)
  const parameter = Object.entries(Learned.parametersOf(prefixes, states)).find(([, tensor]) => !Finite.all(tensor))
  if (parameter !== undefined) return `the parameter "${parameter[0]}"`
  for (const [cell, { memory }] of states)
    for (const [name, leaf] of Tree.leaves(memory, prefixes.get(cell) ?? ""))
      if (typeof leaf !== "number" && !Finite.all(leaf)) return `the memory "${name}"`
  return within(model, watching(prefixes, states), x, "")[0]
}

/** The layers of a model that is no more than one after the other. */
const layersOf = (model: Layer.Layer): ReadonlyArray<readonly [name: string, layer: Layer.Layer]> | undefined =>
  model.kind === "Sequential" && "layers" in model && typeof model.layers === "object"
    ? Object.entries(model.layers as Readonly<Record<string, Layer.Layer>>)
    : undefined

/** What a layer's forward pass comes upon first, layer by layer where it is a sequence; and what it answers. */
const within = (
  model: Layer.Layer,
  { seen, states }: Watched,
  x: Layer.Value,
  path: string
): readonly [where: string | undefined, y: Layer.Value, after: Layer.States] => {
  const layers = layersOf(model)
  if (layers === undefined) {
    const [y, after] = model.apply(states, x, Layer.training)
    const name = path === "" ? "the model" : `the layer "${path}"`
    const wrong = QuantTensor.tensorsOf(y).every(Finite.all) ? undefined : `the output of ${name}`
    return [seen.where ?? wrong, y, after]
  }
  const begin: ReturnType<typeof within> = [undefined, x, states]
  return layers.reduce(
    (reached, [name, layer]) =>
      reached[0] === undefined
        ? within(layer, { seen, states: reached[2] }, reached[1], path === "" ? name : `${path}.${name}`)
        : reached,
    begin
  )
}

/** Of a step's backward pass: gradients first, then what the optimiser made of them. */
export const ofUpdate = (gradients: Named<tf.Tensor | null>, updated: Named<tf.Tensor>): string => {
  const gradient = Object.entries(gradients).find(([, tensor]) => tensor !== null && !Finite.all(tensor))
  if (gradient !== undefined) return `the gradient of "${gradient[0]}"`
  const parameter = Object.entries(updated).find(([, tensor]) => !Finite.all(tensor))
  return parameter === undefined ? "the new parameters, whose sum overflows" : `the new "${parameter[0]}"`
}

/**
 * Models: layers in sequence, or called by a function, as one layer.
 *
 * Room: nn (level 4). Imports: tfjs, `core`, `op`, `./Layer.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Relu from "../op/Relu.ts"
import type { Form } from "./Form.ts"
import {
  type Layer,
  located,
  type Mode,
  mayBePlain,
  type Stateful,
  type States,
  type Value,
  type Values
} from "./Layer.ts"

const joined = (outer: string, inner: string): string => (inner === "" ? outer : `${outer}.${inner}`)

/** The cells and proxies of layers by name; their names begin the names of the state. */
const together = (kind: string, layers: Readonly<Record<string, Stateful>>): Stateful => ({
  kind,
  cells: Object.entries(layers).flatMap(([name, layer]) =>
    layer.cells.map(([inner, cell]) => [joined(name, inner), cell] as const)
  ),
  proxies: Object.entries(layers).flatMap(([name, layer]) =>
    layer.proxies.map(([inner, proxy]) => [joined(name, inner), proxy] as const)
  )
})

/** A model made of layers by name. */
export interface Composed<In = Value, Out extends Values = Value> extends Layer<In, Out> {
  readonly layers: Readonly<Record<string, Stateful>>
  /** the same model of other layers by the same names */
  readonly over: (layers: Readonly<Record<string, Stateful>>) => Composed<In, Out>
}

/** Whether a layer is a model of other layers. */
export const isComposed = (layer: Stateful): layer is Composed =>
  "layers" in layer && "over" in layer && typeof layer.over === "function"

/** Layers one after the other, in the order of the record; its names begin the names of the state. */
export const sequential = (layers: Readonly<Record<string, Layer>>): Composed => ({
  ...together("Sequential", layers),
  layers,
  over: (others) => sequential(others as Readonly<Record<string, Layer>>),
  apply: (states, x, mode) =>
    Object.entries(layers).reduce<ReturnType<Layer["apply"]>>(
      ([y, after], [name, layer]) => located(name, () => layer.apply(after, y, mode)),
      [x, states]
    )
})

/** What a layer is within a model: a function. */
export type Calls<Layers> = {
  readonly [Name in keyof Layers]: Layers[Name] extends Layer<infer In, infer Out> ? (x: In) => Out : never
}

/** The layers as functions that hand the states on from call to call; a layer may be called several times. */
const calls = <Layers extends Readonly<Record<string, Stateful>>>(layers: Layers, before: States, mode: Mode) => {
  const reached = { states: before }
  const functions = Object.fromEntries(
    Object.entries(layers as unknown as Readonly<Record<string, Layer>>).map(([name, layer]) => [
      name,
      (x: Value): Value => {
        const [y, after] = located(name, () => layer.apply(reached.states, x, mode))
        reached.states = after
        return y
      }
    ])
  )
  return { reached, functions: functions as Calls<Layers> }
}

/**
 * A model from a function that calls its layers: for residual connections, branches, layers used twice.
 *
 * ```ts
 * Model.functional({ conv1, conv2, add }, (layer, x) => layer.add([layer.conv2(layer.conv1(x)), x]))
 * ```
 *
 * The function must be pure apart from the layers: it runs synchronously, under tfjs's tape in training.
 */
export const functional = <Layers extends Readonly<Record<string, Stateful>>, In = Value, Out extends Values = Value>(
  layers: Layers,
  f: (layer: Calls<Layers>, x: In) => Out
): Composed<In, Out> => ({
  ...together("Functional", layers),
  layers,
  over: (others) => functional(others as Layers, f),
  apply: (states, x, mode) => {
    const { reached, functions } = calls(layers, states, mode)
    const y = f(functions, x)
    return [y, reached.states]
  }
})

/** A layer without state, from a function of the float value; what it computes may be told as data, too. */
export const stateless = (kind: string, f: (x: tf.Tensor) => tf.Tensor, form?: Form): Layer => ({
  kind,
  ...(form !== undefined && { form }),
  cells: [],
  proxies: [],
  apply: (states, x) => [f(QuantTensor.dequantized(x)) as Value, states]
})

/**
 * The same two values, the second on the grid of the first, which must be a quant tensor of integers: for a sum of layers that do not
 * share a quantizer.
 *
 * ```ts
 * Model.functional({ left, right, align: Model.alignScales, add }, (layer, x) => layer.add(layer.align([layer.left(x), layer.right(x)])))
 * ```
 *
 * Where both layers are made for each other, `outputQuant: left.outputQuant` lets the second share the quantizer of the first.
 *
 * - formula:  `(a, alignScales(b, a))`
 * - shapes:   `a, b [...d] -> a, b [...d]`
 * - gradient: `da = dy_a`, `db = dy_b` where b lies in the range of the grid
 * - errors:   FormatMismatch where a is plain, of minifloats or of groups; ShapeMismatch
 * - source:   Jacob et al. 2018, arXiv:1712.05877 (appendix A.2)
 *
 * @category layers
 * @since 0.3.0
 */
export const alignScales: Layer<readonly [Value, Value], readonly [Value, Value]> = {
  kind: "AlignScales",
  form: { op: "alignScales" },
  cells: [],
  proxies: [],
  apply: (states, [a, b], mode) => {
    if (mayBePlain(mode) && !QuantTensor.isQuantTensor(a)) return [[a, b], states]
    const aligned = QuantTensor.alignScales(b, a)
    if (Result.isFailure(aligned)) throw aligned.failure
    return [[a, aligned.success], states]
  }
}

/** All axes but the first become one; quantized values stay quantized. */
export const flatten: Layer = {
  kind: "Flatten",
  form: { op: "flatten" },
  cells: [],
  proxies: [],
  apply: (states, x) => [QuantTensor.flatten(x), states]
}

/** What comes in goes out. */
export const identity: Layer = {
  kind: "Identity",
  form: { op: "identity" },
  cells: [],
  proxies: [],
  apply: (states, x) => [x, states]
}

/** `max(x, 0)`, not quantized. */
export const relu: Layer = stateless("ReLU", Relu.relu, { op: "relu" })

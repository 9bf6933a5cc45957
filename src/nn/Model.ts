/**
 * Models: layers in sequence, as one layer.
 *
 * Room: nn (level 4). Imports: tfjs, `core`, `./Layer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { Layer, Value } from "./Layer.ts"

const joined = (outer: string, inner: string): string => (inner === "" ? outer : `${outer}.${inner}`)

/** Layers one after the other, in the order of the record; its names begin the names of the state. */
export const sequential = (layers: Readonly<Record<string, Layer>>): Layer => ({
  kind: "Sequential",
  cells: Object.entries(layers).flatMap(([name, layer]) =>
    layer.cells.map(([inner, cell]) => [joined(name, inner), cell] as const)
  ),
  proxies: Object.entries(layers).flatMap(([name, layer]) =>
    layer.proxies.map(([inner, proxy]) => [joined(name, inner), proxy] as const)
  ),
  apply: (states, x, mode) =>
    Object.values(layers).reduce<ReturnType<Layer["apply"]>>(
      ([y, after], layer) => layer.apply(after, y, mode),
      [x, states]
    )
})

/** A layer without state, from a function of the float value. */
export const stateless = (kind: string, f: (x: tf.Tensor) => tf.Tensor): Layer => ({
  kind,
  cells: [],
  proxies: [],
  apply: (states, x) => [f(QuantTensor.dequantized(x)) as Value, states]
})

/** All axes but the first become one. */
export const flatten: Layer = stateless("Flatten", (x) => tf.reshape(x, [x.shape[0] as number, -1]))

/** `max(x, 0)`, not quantized. */
export const relu: Layer = stateless("ReLU", tf.relu)

/**
 * Pools without state: the largest value of windows, and their averages. `Truncated.ts` has the average pools of integers.
 *
 * Room: nn (level 4). Imports: effect, `core`, `op`, `./Layer.ts`, `./Weightless.ts`.
 */
import type { Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Pool from "../op/Pool.ts"
import { type Form, padOf } from "./Form.ts"
import type { Layer, Value } from "./Layer.ts"
import * as Weightless from "./Weightless.ts"

/** How windows lie: sizes for height and width; strides default to the size, so that windows do not overlap. */
export interface Options {
  readonly size: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly pad?: Pool.Options["pad"]
}

const formOf = (op: "maxPool" | "averagePool", { size, strides = size, pad = "valid" }: Options): Form => ({
  op,
  size,
  strides,
  dilations: [1, 1],
  pad: padOf(pad, 2)
})

const layer = <E>(kind: string, form: Form, f: (x: Value) => Result.Result<Value, E>): Layer => ({
  kind,
  form,
  cells: [],
  proxies: [],
  apply: (states, x) => {
    Weightless.expectShape(kind, x, ["n", "h", "w", "c"])
    return [Weightless.thrown(f(x)), states]
  }
})

/**
 * The largest value of each window; quantized values stay quantized.
 *
 * - formula:  `y[n,i,j,c] = max_uv x[n, i s + u, j s + v, c]` over places in the image
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy` where the largest value stood first
 * - errors:   ShapeMismatch where x is no batch of images; NaN passes
 * - source:   Brevitas, quant_tensor/torch_handler.py
 *
 * @since 0.3.0
 */
export const maxPool2d = (options: Options): Layer =>
  layer("MaxPool2d", formOf("maxPool", options), (x) => QuantTensor.maxPool2d(x, options))

/**
 * The average of each window, zeros around the image included; of quantized values the sums, on a finer grid.
 *
 * - formula:  `y[n,i,j,c] = mean_uv x[n, i s + u, j s + v, c]`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / (kh kw)`, summed over the windows that hold the place
 * - errors:   ShapeMismatch where x is no batch of images; NaN passes
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @since 0.3.0
 */
export const avgPool2d = (options: Options): Layer =>
  layer("AvgPool2d", formOf("averagePool", options), (x) => QuantTensor.avgPool2d(x, options))

/**
 * Pools without state: the largest value of windows, and their averages. `Truncated.ts` has the average pools of integers.
 *
 * Room: nn (level 4). Imports: effect, `core`, `op`, `./Layer.ts`.
 */
import { Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Pool from "../op/Pool.ts"
import type { Layer, Value } from "./Layer.ts"

/** How windows lie: sizes for height and width; strides default to the size, so that windows do not overlap. */
export interface Options {
  readonly size: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly pad?: Pool.Options["pad"]
}

const layer = <E>(kind: string, f: (x: Value) => Result.Result<Value, E>): Layer => ({
  kind,
  cells: [],
  proxies: [],
  apply: (states, x) => {
    const y = f(x)
    if (Result.isFailure(y)) throw y.failure
    return [y.success, states]
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
export const maxPool2d = (options: Options): Layer => layer("MaxPool2d", (x) => QuantTensor.maxPool2d(x, options))

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
export const avgPool2d = (options: Options): Layer => layer("AvgPool2d", (x) => QuantTensor.avgPool2d(x, options))

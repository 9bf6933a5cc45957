/**
 * Layers that make images larger and keep quantized values on their grid.
 *
 * Room: nn (level 4). Imports: tfjs, `core`, `op`, `./Layer.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Resize from "../op/Resize.ts"
import * as Round from "../op/Round.ts"
import type { Form } from "./Form.ts"
import type { Layer, Value } from "./Layer.ts"
import * as Weightless from "./Weightless.ts"

/** How large: by a factor for height and width, or to a size. */
export type Options =
  | { readonly scaleFactor: number | readonly [number, number] }
  | { readonly size: number | readonly [number, number] }

const both = (x: number | readonly [number, number]): readonly [number, number] => (typeof x === "number" ? [x, x] : x)

const sizeOf = (options: Options, x: Value, kind: string): Resize.Size => {
  Weightless.expectShape(kind, x, ["n", "h", "w", "c"])
  const shape = QuantTensor.shapeOf(x)
  if ("size" in options) return both(options.size)
  const [tall, wide] = both(options.scaleFactor)
  return [Math.floor((shape[1] as number) * tall), Math.floor((shape[2] as number) * wide)]
}

const layer = (kind: string, form: Form, f: (x: Value) => Value): Layer => ({
  kind,
  form,
  cells: [],
  proxies: [],
  apply: (states, x) => [f(x), states]
})

/**
 * Larger by repeating the nearest element; quantized values stay quantized.
 *
 * - formula:  `y[i,j] = x[floor(i h / oh), floor(j w / ow)]`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: as `Resize.nearest`
 * - errors:   ShapeMismatch where x is no batch of images
 * - source:   Brevitas, nn/quant_upsample.py
 *
 * @since 0.3.0
 */
export const upsampleNearest = (options: Options): Layer =>
  layer("QuantUpsampleNearest", { op: "resizeNearest" }, (x) =>
    QuantTensor.keeping(x, (value) => Resize.nearest(value, sizeOf(options, x, "QuantUpsampleNearest")))
  )

/**
 * Larger by straight lines between elements; quantized values go to the nearest value of their grid.
 *
 * - formula:  `y = Resize.bilinear(x)`, of integers `(rne(y / s + z) - z) s`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: as `Resize.bilinear`, straight through the rounding
 * - errors:   ShapeMismatch where x is no batch of images
 * - source:   Brevitas, nn/quant_upsample.py
 *
 * @since 0.3.0
 */
export const upsampleBilinear = (options: Options & { readonly alignCorners?: boolean }): Layer =>
  layer("QuantUpsampleBilinear", { op: "resizeLinear", alignCorners: options.alignCorners === true }, (x) => {
    const size = sizeOf(options, x, "QuantUpsampleBilinear")
    return QuantTensor.keeping(x, (value) => {
      const y = Resize.bilinear(value, size, options.alignCorners)
      if (!QuantTensor.isIntegral(x)) return y
      const { scale, zeroPoint } = x
      return tf.mul(tf.sub(Round.nearest(tf.add(tf.div(y, scale), zeroPoint)), zeroPoint), scale)
    })
  })

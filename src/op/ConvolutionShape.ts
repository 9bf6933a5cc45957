/**
 * What convolutions of any rank ask of the shapes of their operands, and what they answer of nothing.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`, `./Linalg.ts`. Laws: test/op/ConvolutionNd.test.ts,
 * test/op/ConvolutionTransposed.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Linalg from "./Linalg.ts"

/** Names of the axes of an image, by how many it has. */
const letters: Readonly<Record<number, ReadonlyArray<string>>> = { 1: ["w"], 2: ["h", "w"], 3: ["d", "h", "w"] }

/** The operands of a convolution, by its name in messages. */
export interface Operands {
  readonly what: string
  readonly x: tf.Tensor
  readonly filter: tf.Tensor
  readonly bias: tf.Tensor | undefined
  /** of the image */
  readonly axes: number
  readonly groups: number
  /** whether the last axis of the filter is that of the input channels */
  readonly transposed: boolean
}

/**
 * What keeps the operands of a convolution from one another.
 *
 * - formula:  the filter's two last axes are `ci / groups, co`, or `co / groups, ci` of a transposed one; whole groups; one bias for
 *             each output channel
 * - shapes:   `x [n, ...image, ci], filter [...kernel, a, b], bias [co]`
 * - gradient: none: shapes, no tensors
 * - errors:   answers a ShapeMismatch, or undefined where all fits
 * - source:   none
 *
 * @category convolution
 * @since 0.3.0
 */
export const misfit = ({ what, x, filter, bias, axes, groups, transposed }: Operands): ShapeMismatch | undefined => {
  const refuse = (operand: string, expected: string, { shape }: tf.Tensor): ShapeMismatch =>
    new ShapeMismatch({ what: `${what}, ${operand}`, expected, actual: shape })
  const image = letters[axes] ?? []
  const last = transposed ? `co / ${groups}, ci` : `ci / ${groups}, co`
  const [inner = 0, outer = 0] = filter.shape.slice(axes)
  const whole = `[${image.map((axis) => `k${axis}`).join(", ")}, ${last}], the last a multiple of ${groups}`
  if (filter.rank !== axes + 2 || outer % groups !== 0) return refuse("filter", whole, filter)
  const [ci, co] = transposed ? [outer, inner * groups] : [inner * groups, outer]
  if (x.rank !== axes + 2 || x.shape.at(-1) !== ci) return refuse("x", `[n, ${image.join(", ")}, ${ci}]`, x)
  return bias === undefined || (bias.rank === 1 && bias.size === co) ? undefined : refuse("bias", `[${co}]`, bias)
}

/**
 * A convolution of nothing, or to nothing: the bias alone at each place.
 *
 * - formula:  `y[..., o] = b[o]`
 * - shapes:   `x, filter, bias [co] -> y [...shape]`, whose last axis is `co`
 * - gradient: `dx = 0, dw = 0, db = sum dy`
 * - errors:   none
 * - source:   none
 *
 * @category convolution
 * @since 0.3.0
 */
export const vacant = (
  shape: ReadonlyArray<number>,
  x: tf.Tensor,
  filter: tf.Tensor,
  bias: tf.Tensor = tf.zeros([shape.at(-1) ?? 0])
): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) => {
    const [like, likeFilter, channels] = [x.shape, filter.shape, bias.shape]
    const isEmpty = shape.includes(0)
    return {
      value: isEmpty ? tf.zeros([...shape]) : tf.broadcastTo(bias, [...shape]),
      gradient: (dy) => [
        () => tf.zeros(like),
        () => tf.zeros(likeFilter),
        () => (isEmpty ? tf.zeros(channels) : Linalg.columnSums(dy))
      ]
    }
  })(x, filter, bias)

/**
 * The formats of layers: what grid sums of products of quantized inputs and weights lie on, and averages of integers.
 *
 * The value is computed by the layer's own formula; the rules here say what it is made of.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `op`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorProduct.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as Gather from "../op/Gather.ts"
import * as Linalg from "../op/Linalg.ts"
import * as Pool from "../op/Pool.ts"
import * as Host from "../tensor/Host.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Grid from "./QuantGrid.ts"
import * as Parts from "./QuantParts.ts"
import * as Scale from "./QuantScale.ts"
import {
  around,
  dequantized,
  isIntegral,
  isQuantTensor,
  madeOf,
  make,
  owned,
  type QuantTensor,
  same,
  shapeOf,
  type Value
} from "./QuantValue.ts"
import * as Width from "./QuantWidth.ts"

type Shape = ReadonlyArray<number>

// ---- sums of products ---------------------------------------------------------------------------------------

/** What a layer with a weight has put together. */
export interface Products {
  readonly input: Value
  readonly weight: Value
  /** what was added to the products, one number for each output channel */
  readonly bias?: Value | undefined
  /** how many products an output sums: `convolutionProducts`, `transposedProducts`, or the inputs of a linear layer */
  readonly products: number
  /** the axes of the weight that are those of the output channels; default: the last one */
  readonly outputAxes?: ReadonlyArray<number>
  /** for messages */
  readonly origin?: string | undefined
}

/** The weight's scale along the last axis of the output, or one number; `undefined` where it varies within the sum. */
const channelScale = (weight: QuantTensor, axes: ReadonlyArray<number>, rank: number): tf.Tensor | undefined => {
  const { scale, value } = weight
  if (scale.size === 1) return tf.reshape(scale, Parts.ofRank([], rank))
  const shape = Parts.ofRank(scale.shape, value.rank)
  const isOutput = (axis: number): boolean => axes.some((one) => (one < 0 ? one + value.rank : one) === axis)
  if (shape.some((size, axis) => size !== 1 && !isOutput(axis))) return undefined
  const full = value.shape.map((size, axis) => (isOutput(axis) ? size : 1))
  return tf.reshape(Parts.spread(tf.reshape(scale, shape), full), Parts.ofRank([full.reduce((a, b) => a * b, 1)], rank))
}

/** With a quantized bias the sum grows by it; a bias on another grid moves the zero-point, as a plain one does. */
const biased = (
  y: Pick<QuantTensor, "scale" | "bitWidth" | "signed">,
  bias: Value | undefined,
  rank: number
): Pick<QuantTensor, "zeroPoint" | "bitWidth" | "signed"> => {
  const { bitWidth } = y
  if (bias === undefined) return { zeroPoint: tf.scalar(0), bitWidth, signed: y.signed }
  const offset = tf.reshape(dequantized(bias), Parts.ofRank(shapeOf(bias), rank))
  const absorbed = (): tf.Tensor => tf.neg(tf.div(offset, y.scale))
  if (!isIntegral(bias)) return { zeroPoint: absorbed(), bitWidth, signed: y.signed }
  const added = Width.biasedBitWidth(y, bias)
  const onGrid = Grid.isCentred(bias) && Scale.alike(bias.scale, y.scale)
  return onGrid
    ? { zeroPoint: tf.scalar(0), bitWidth: added, signed: y.signed || bias.signed }
    : { zeroPoint: absorbed(), bitWidth: added, signed: y.signed }
}

/**
 * What sums of products are made of, as a linear layer or a convolution of any kind makes them: quantized, if input and weight are
 * integers without zero-points, the input has one scale, and the weight one for the tensor or for each output channel (the last
 * axis of the output); else the plain value.
 *
 * - formula:  `scale = s_x s_w; bitWidth = accumulatorBitWidth`, one more with a quantized bias; a bias of another grid, or a plain
 *             one: `zeroPoint = -bias / scale`
 * - shapes:   `value [..., channels] -> y [..., channels], scale [1, ..., 1 or channels]`
 * - gradient: the value's own; `ds_x = Σ dscale s_w, ds_w = dscale s_x`
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @category products
 * @since 0.3.0
 */
export const productsOf = (value: tf.Tensor, about: Products): Value =>
  owned(() => {
    const { input, weight, bias, products, outputAxes = [-1], origin } = about
    const plain = (): tf.Tensor => same(value)
    if (!isIntegral(input) || !isIntegral(weight)) return plain()
    if (!Grid.isCentred(input) || !Grid.isCentred(weight) || input.scale.size !== 1) return plain()
    const ofWeight = channelScale(weight, outputAxes, value.rank)
    if (ofWeight === undefined) return plain()
    const scale = tf.mul(tf.reshape(input.scale, []), ofWeight)
    const bitWidth = Width.accumulatorBitWidth(input, weight, products)
    const sums = { scale, bitWidth, signed: input.signed || weight.signed }
    return make({
      value: plain(),
      scale,
      ...biased(sums, bias, value.rank),
      training: [input, weight, bias].some((x) => x !== undefined && isQuantTensor(x) && x.training),
      origin: origin ?? madeOf("products", input, weight)
    })
  })

const lastTwo = (shape: Shape): readonly [rows: number, columns: number] => [
  shape.at(-2) as number,
  shape.at(-1) as number
]

/**
 * The product of two matrices, quantized by the rules of `productsOf`; scales of `b` may be those of its columns.
 *
 * - formula:  `y = a b`
 * - shapes:   `a [n, k], b [k, m] -> y [n, m]`, or `a [...d, n, k], b [...d, k, m] -> y [...d, n, m]`
 * - gradient: `da = dy bᵀ, db = aᵀ dy`
 * - errors:   `ShapeMismatch`
 * - source:   Brevitas, quant_tensor/int_torch_handler.py (its linear function; there a product of matrices itself is plain)
 *
 * @category products
 * @since 0.3.0
 */
export const matMul = (a: Value, b: Value): Result.Result<Value, ShapeMismatch> => {
  const [left, right] = [shapeOf(a), shapeOf(b)]
  const [, inner] = lastTwo(left)
  const fits =
    left.length >= 2 &&
    left.length === right.length &&
    lastTwo(right)[0] === inner &&
    left.slice(0, -2).every((size, i) => size === right[i])
  if (!fits)
    return Result.fail(
      new ShapeMismatch({ what: "matMul", expected: `[..., ${inner}, any] as [${left.join(", ")}]`, actual: right })
    )
  return Result.succeed(
    owned(() => {
      const [x, y] = [dequantized(a), dequantized(b)]
      const value = left.length === 2 ? Linalg.matMul(x, y) : tf.matMul(x, y)
      return productsOf(value, { input: a, weight: b, products: inner })
    })
  )
}

/**
 * An affine map of each row, quantized by the rules of `productsOf`.
 *
 * - formula:  `y = x W + b`, without `b` where there is none
 * - shapes:   `x [n, in], weight [in, out], bias [out] -> y [n, out]`
 * - gradient: `dx = dy Wᵀ, dW = xᵀ dy, db = Σ_i dy_i`
 * - errors:   `ShapeMismatch`
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @category products
 * @since 0.3.0
 */
export const linear = (x: Value, weight: Value, bias?: Value | undefined): Result.Result<Value, ShapeMismatch> => {
  const [rows, matrix] = [shapeOf(x), shapeOf(weight)]
  const refuse = (expected: string, actual: Shape): Result.Result<never, ShapeMismatch> =>
    Result.fail(new ShapeMismatch({ what: "linear", expected, actual }))
  if (matrix.length !== 2) return refuse("[in, out] of a weight", matrix)
  if (rows.length !== 2 || rows[1] !== matrix[0]) return refuse(`[n, ${matrix[0]}]`, rows)
  if (bias !== undefined && !(shapeOf(bias).length === 1 && shapeOf(bias)[0] === matrix[1]))
    return refuse(`[${matrix[1]}] of a bias`, shapeOf(bias))
  return Result.succeed(
    owned(() => {
      const value = Linalg.linear(dequantized(x), dequantized(weight), bias && dequantized(bias))
      return productsOf(value, { input: x, weight, bias, products: matrix[0] as number })
    })
  )
}

// ---- averages -----------------------------------------------------------------------------------------------

/**
 * What averages over windows of `count` integers are made of: their sums, on a grid that is `divisor` times finer. Minifloats,
 * groups and scales that do not fit the averages give the plain value.
 *
 * - formula:  `int = Σ int_x; scale = s_x / divisor; zeroPoint = count z_x; bitWidth = totalBitWidth`
 * - shapes:   `value [...d] -> y [...d]`
 * - gradient: the value's own; `ds_x = dscale / divisor`
 * - errors:   none
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @category products
 * @since 0.3.0
 */
export const averagesOf = (value: tf.Tensor, x: Value, count: number, divisor = count): Value =>
  owned(() => {
    const fits = (part: tf.Tensor): boolean => part.size === 1 || Grid.fitsInto(part.shape, value.shape)
    if (!isIntegral(x) || !fits(x.scale) || !fits(x.zeroPoint)) return same(value)
    const format = around(x, same(value))
    return {
      ...format,
      scale: tf.div(format.scale, divisor),
      zeroPoint: tf.mul(format.zeroPoint, count),
      bitWidth: Width.totalBitWidth(x, count),
      origin: madeOf("average", x)
    }
  })

/** Windows of an image, and what their sums are divided by; default: the number of elements, those around the image included. */
export interface AverageOptions extends Pool.Options {
  readonly divisor?: number
}

/**
 * The average of each window of an image, zeros around it included, by the rules of `averagesOf`.
 *
 * - formula:  `y[n,i,j,c] = Σ_uv x[n, i s + u, j s + v, c] / divisor`
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / divisor`, summed over the windows that hold the place
 * - errors:   `ShapeMismatch` where x is no batch of images; NaN passes
 * - source:   Brevitas, quant_tensor/int_torch_handler.py
 *
 * @category products
 * @since 0.3.0
 */
export const avgPool2d = (x: Value, options: AverageOptions): Result.Result<Value, ShapeMismatch> => {
  if (shapeOf(x).length !== 4)
    return Result.fail(new ShapeMismatch({ what: "avgPool2d", expected: "[n, h, w, c]", actual: shapeOf(x) }))
  const count = options.size[0] * options.size[1]
  const { divisor = count, pad = "valid" } = options
  return Result.succeed(
    owned(() => {
      const mean = Pool.avgPool2d(dequantized(x), { ...options, countIncludePad: true })
      const value = divisor === count ? mean : tf.mul(mean, count / divisor)
      const zeros = pad !== "valid" && pad !== 0
      return zeros && isQuantTensor(x) && !Grid.contains(x, 0) ? value : averagesOf(value, x, count, divisor)
    })
  )
}

// ---- tables -------------------------------------------------------------------------------------------------

/**
 * The rows of a table, each with its scale: an embedding.
 *
 * - formula:  `y[...e, ...d] = x[indices[...e], ...d]`
 * - shapes:   `x [n, ...d], indices [...e] (int32) -> y [...e, ...d]`
 * - gradient: `dx[k] = Σ dy[i]` over `indices[i] = k`, likewise for scales of rows
 * - errors:   `InvalidOptions` where an index is not in the table, `ShapeMismatch` where the table has no rows
 * - source:   Brevitas, quant_tensor/int_torch_handler.py (there a table must have one scale)
 *
 * @category products
 * @since 0.3.0
 */
export const rows = (x: Value, indices: tf.Tensor): Result.Result<Value, ShapeMismatch | InvalidOptions> => {
  const [count, ...rest] = shapeOf(x)
  if (count === undefined) return Result.fail(new ShapeMismatch({ what: "rows", expected: "[n, ...]", actual: [] }))
  const outside = Host.floats(indices).find((index) => !(Number.isInteger(index) && index >= 0 && index < count))
  if (outside !== undefined)
    return Result.fail(
      new InvalidOptions({ what: "rows", option: "indices", reason: `has ${outside}, and the table ${count} rows` })
    )
  const whole = (table: tf.Tensor): tf.Tensor =>
    tf.reshape(Gather.gather(tf.reshape(table, [count, -1]), tf.cast(indices, "int32")), [
      ...indices.shape,
      ...table.shape.slice(1)
    ])
  const part = (one: tf.Tensor): tf.Tensor =>
    one.shape[0] === 1 ? tf.reshape(one, Parts.ofRank(one.shape.slice(1), indices.rank + rest.length)) : whole(one)
  return Result.succeed(
    owned(() => {
      const value = whole(dequantized(x))
      return isQuantTensor(x) && x.grouped === undefined ? Parts.carried(x, value, part) : value
    })
  )
}

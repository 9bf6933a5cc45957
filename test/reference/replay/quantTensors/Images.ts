/**
 * Operations on images, which the vectors write with their channels first: turned into the layout of TensorFlow.js, and back, as
 * quant tensors.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Convolution from "../../../../src/op/Convolution.ts"
import { ok } from "./Failed.ts"

type Value = QuantTensor.Value

const channelsLast = (x: Value): Value =>
  ok(QuantTensor.transpose(x, [0, ...Array.from({ length: QuantTensor.shapeOf(x).length - 2 }, (_, i) => i + 2), 1]))
const channelsFirst = (x: Value): Value => {
  const { length } = QuantTensor.shapeOf(x)
  return ok(QuantTensor.transpose(x, [0, length - 1, ...Array.from({ length: length - 2 }, (_, i) => i + 1)]))
}
/** An operation on images whose channels come last. */
export const onImages = (x: Value, f: (image: Value) => Value): Value => channelsFirst(f(channelsLast(x)))
export const pair = (u: number | ReadonlyArray<number>): [number, number] =>
  typeof u === "number" ? [u, u] : [u[0] as number, u[1] as number]

/** An image of one row, and back. */
export const asRow = (x: Value): Value => ok(QuantTensor.expandDims(x, 2))
export const asLine = (x: Value): Value => ok(QuantTensor.squeeze(x, [2]))

export const maxPool = (x: Value, { kernel_size, stride }: any): Value =>
  onImages(x, (image) =>
    ok(QuantTensor.maxPool2d(image, { size: pair(kernel_size), strides: pair(stride ?? kernel_size) }))
  )
export const windowOf = (x: Value, output: ReadonlyArray<number>): [number, number] => {
  const [, , height = 1, width = 1] = QuantTensor.shapeOf(x)
  return [height / (output[0] as number), width / (output[1] as number)]
}

/** Repeats neighbours along the second axis of four. */
const stretched = (x: tf.Tensor, n: number, size: number, rest: number, factor: number): tf.Tensor =>
  tf.reshape(tf.tile(tf.reshape(x, [n, size, 1, rest]), [1, 1, factor, 1]), [n, size * factor, rest])
/** Nearest-neighbour interpolation by a whole factor. */
export const repeated = (x: tf.Tensor, factor: number): tf.Tensor => {
  const [n, h, w, c] = x.shape as [number, number, number, number]
  const tall = stretched(x, n, h, w * c, factor)
  return tf.reshape(stretched(tall, n * h * factor, w, c, factor), [n, h * factor, w * factor, c])
}
export const shuffled = (x: tf.Tensor, r: number): tf.Tensor => {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  return tf.reshape(tf.transpose(tf.reshape(x, [n, c / (r * r), r, r, h, w]), [0, 1, 4, 2, 5, 3]), [
    n,
    c / (r * r),
    h * r,
    w * r
  ])
}
export const unshuffled = (x: tf.Tensor, r: number): tf.Tensor => {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  return tf.reshape(tf.transpose(tf.reshape(x, [n, c, h / r, r, w / r, r]), [0, 1, 3, 5, 2, 4]), [
    n,
    c * r * r,
    h / r,
    w / r
  ])
}

/** The filter [o, i, ...k] as TensorFlow.js has it, [...k, i, o]. */
const filterOf = (weight: Value): Value =>
  ok(
    QuantTensor.transpose(weight, [
      ...Array.from({ length: QuantTensor.shapeOf(weight).length - 2 }, (_, i) => i + 2),
      1,
      0
    ])
  )

export const convolved = ([x, weight, bias]: ReadonlyArray<Value>, { groups = 1 }: any): Value => {
  const [image, filter] = [channelsLast(x as Value), filterOf(weight as Value)]
  const [height = 1, width = 1, depth = 1] = QuantTensor.shapeOf(filter)
  const pieces = (y: Value) => ok(QuantTensor.split(y, groups, 3)).map(QuantTensor.dequantized)
  const filters = pieces(filter)
  const products = tf.concat(
    pieces(image).map((piece, i) =>
      Convolution.conv2d(piece, filters[i] as tf.Tensor, { strides: [1, 1], pad: "valid", dilations: [1, 1] })
    ),
    3
  )
  const value = bias === undefined ? products : tf.add(products, QuantTensor.dequantized(bias))
  const count = QuantTensor.convolutionProducts([height, width], depth * groups, groups)
  return channelsFirst(QuantTensor.productsOf(value, { input: image, weight: filter, bias, products: count }))
}

/** Zeros between neighbours, and around the image as many as let the whole filter pass over it. */
const widened = (
  x: tf.Tensor,
  [down, across]: readonly [number, number],
  kernel: readonly [number, number]
): tf.Tensor => {
  const [n, h, w, c] = x.shape as [number, number, number, number]
  const rows = tf.pad(tf.reshape(x, [n, h, 1, w * c]), [
    [0, 0],
    [0, 0],
    [0, down - 1],
    [0, 0]
  ])
  const columns = tf.pad(tf.reshape(rows, [n * h * down, w, 1, c]), [
    [0, 0],
    [0, 0],
    [0, across - 1],
    [0, 0]
  ])
  const apart = tf.reshape(columns, [n, h * down, w * across, c])
  const inner = tf.slice(apart, [0, 0, 0, 0], [n, (h - 1) * down + 1, (w - 1) * across + 1, c])
  const around = kernel.map((size): [number, number] => [size - 1, size - 1])
  return tf.pad(inner, [[0, 0], ...around, [0, 0]])
}

/** A transposed convolution: a convolution of the widened image with the flipped filter. */
export const transposedConvolved = ([x, weight]: ReadonlyArray<Value>, { stride }: any): Value => {
  const image = channelsLast(x as Value)
  const filter = ok(QuantTensor.transpose(weight as Value, [2, 3, 0, 1]))
  const [height = 1, width = 1, inputs = 1] = QuantTensor.shapeOf(filter)
  const wide = widened(QuantTensor.dequantized(image), pair(stride), [height, width])
  const flipped = tf.reverse(QuantTensor.dequantized(filter), [0, 1])
  const value = Convolution.conv2d(wide, flipped, { strides: [1, 1], pad: "valid", dilations: [1, 1] })
  const products = QuantTensor.transposedProducts([height, width], pair(stride), inputs)
  return channelsFirst(QuantTensor.productsOf(value, { input: image, weight: filter, products }))
}

/** Bilinear interpolation with half-pixel centres, as products with two matrices. */
export const bilinear = (x: tf.Tensor, factor: number): tf.Tensor => {
  const [n, h, w, c] = x.shape as [number, number, number, number]
  const weights = (size: number): tf.Tensor => {
    const rows = Array.from({ length: size * factor }, (_, i) => {
      const at = Math.max((i + 0.5) / factor - 0.5, 0)
      const low = Math.min(Math.floor(at), size - 1)
      const high = Math.min(low + 1, size - 1)
      return Array.from({ length: size }, (_, j) => (j === low ? 1 - (at - low) : 0) + (j === high ? at - low : 0))
    })
    return tf.tensor2d(rows)
  }
  const down = tf.reshape(tf.matMul(weights(h), tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [h, -1])), [
    h * factor,
    n,
    w,
    c
  ])
  const across = tf.matMul(weights(w), tf.reshape(tf.transpose(down, [2, 1, 0, 3]), [w, -1]))
  return tf.transpose(tf.reshape(across, [w * factor, n, h * factor, c]), [1, 2, 0, 3])
}

/**
 * Calls of ops that have kernels, with gradients: small, of uneven sizes, so that every kernel runs its last elements too.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Clamp from "../../src/op/Clamp.ts"
import * as Convolution from "../../src/op/Convolution.ts"
import * as Extremum from "../../src/op/Extremum.ts"
import * as FakeQuant from "../../src/op/FakeQuant.ts"
import * as Gather from "../../src/op/Gather.ts"
import * as Linalg from "../../src/op/Linalg.ts"
import * as MinifloatQuant from "../../src/op/MinifloatQuant.ts"
import * as Pool from "../../src/op/Pool.ts"
import * as PowerOfTwo from "../../src/op/PowerOfTwo.ts"
import * as Relu from "../../src/op/Relu.ts"
import * as SignQuant from "../../src/op/SignQuant.ts"
import * as View from "../../src/op/View.ts"

/** Values over (-2, 2) without a pattern. */
export const spread = (...shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => ((i * 40503) % 1021) / 256 - 2),
    [...shape]
  )

/** The gradients of an op with respect to all its inputs. */
const gradients = (f: (...inputs: Array<tf.Tensor>) => tf.Tensor, ...inputs: Array<tf.Tensor>): void => {
  tf.grads(f)(inputs)
}

const quantized = (x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor): void => {
  const options = { rounding: "nearest", clampPasses: false } as const
  gradients(
    (x, scale, zeroPoint) => FakeQuant.fakeQuantize(x, scale, zeroPoint, tf.scalar(-8), tf.scalar(7), options),
    x,
    scale,
    zeroPoint
  )
}

const minifloat = (x: tf.Tensor, scale: tf.Tensor): void => {
  const format = { mantissaBitWidth: 3, exponentBias: 7 }
  const options = {
    format,
    rounding: "nearest",
    low: -448,
    high: 448,
    overflow: "saturate",
    clampPasses: false
  } as const
  gradients((x, scale) => MinifloatQuant.quantize(x, scale, options), x, scale)
}

const convolved = (options: Convolution.Conv2dOptions): void =>
  gradients(
    (x, filter) => Convolution.conv2d(x as tf.Tensor, filter as tf.Tensor, options),
    spread(1, 7, 6, 3),
    spread(3, 3, 3, 5)
  )

export const examples: ReadonlyArray<() => void> = [
  () => minifloat(spread(37), tf.scalar(0.3)),
  () => minifloat(spread(5, 7), tf.fill([1, 7], 0.25)),
  () => minifloat(spread(5, 7), tf.add(tf.abs(spread(5, 1)), 0.1)),
  () => gradients((x, scale) => SignQuant.clampedBinary(x, scale, false), spread(5, 7), tf.fill([1, 7], 0.7)),
  () => gradients((x, scale) => SignQuant.ternary(x, scale, 0.5), spread(37), tf.scalar(0.9)),
  () => gradients((x) => PowerOfTwo.near(tf.abs(x), "floor"), spread(37)),
  () => gradients((x) => Clamp.atLeast(x, 0.5), spread(37)),
  () => gradients((x) => View.repeat(View.resize(x, 1, 9), 2, 3), spread(5, 7, 1)),
  () => quantized(spread(37), tf.scalar(0.3), tf.scalar(1)),
  () => quantized(spread(5, 7), tf.add(tf.abs(spread(1, 7)), 0.1), tf.scalar(0)),
  () => quantized(spread(5, 7), tf.add(tf.abs(spread(5, 1)), 0.1), tf.scalar(0)),
  () => gradients((x) => Extremum.absMax(x), spread(37)),
  () => gradients((x) => Extremum.absMax(x, { axis: 0 }), spread(5, 7)),
  () => gradients((x) => Extremum.absMax(x, { axis: 1 }), spread(5, 7)),
  // what comes back to the second value is completed in place
  () =>
    gradients((x) => {
      const [most, through] = Extremum.absMaxThrough(x)
      return tf.mul(through, most)
    }, spread(37)),
  () => gradients((x) => Relu.relu(x), spread(37)),
  () => gradients((x) => Linalg.columnSums(x), spread(5, 7)),
  () => gradients((a, b) => Linalg.matMul(a as tf.Tensor, b as tf.Tensor), spread(5, 7), spread(7, 9)),
  () => gradients((table) => Gather.gather(table, tf.tensor1d([2, 0, 2], "int32")), spread(5, 7)),
  () => gradients((x) => Pool.maxPool2d(x, { size: [2, 2] }), spread(1, 5, 7, 3)),
  () => gradients((x) => Pool.avgPool2d(x, { size: [2, 2], pad: "same" }), spread(1, 5, 7, 3)),
  () => convolved({ strides: [1, 1], pad: "same", dilations: [1, 1] }),
  () => convolved({ strides: [2, 2], pad: "valid", dilations: [1, 1] })
]

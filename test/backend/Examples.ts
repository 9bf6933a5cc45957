/**
 * Calls of ops that have kernels, with gradients: small, of uneven sizes, so that every kernel runs its last elements too.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Extremum from "../../src/op/Extremum.ts"
import * as FakeQuant from "../../src/op/FakeQuant.ts"

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

export const examples: ReadonlyArray<() => void> = [
  () => quantized(spread(37), tf.scalar(0.3), tf.scalar(1)),
  () => quantized(spread(5, 7), tf.add(tf.abs(spread(1, 7)), 0.1), tf.scalar(0)),
  () => quantized(spread(5, 7), tf.add(tf.abs(spread(5, 1)), 0.1), tf.scalar(0)),
  () => gradients((x) => Extremum.absMax(x), spread(37))
]

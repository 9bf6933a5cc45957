/**
 * The rectifier, through which NaN passes: tfjs's own makes 0 of it on some backends.
 *
 * Where the backend has breve's kernels (`backend/Kernels.ts`) they do it; elsewhere the composition of standard ops, which is the
 * definition.
 *
 * Room: op (level 1). Imports: tfjs-core, `tensor`. Laws: test/op/Relu.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

const hasKernel = (name: string, inputs: ReadonlyArray<tf.Tensor>): boolean =>
  tf.getKernel(name, tf.getBackend()) !== undefined && inputs.every(({ dtype }) => dtype === "float32")

const value = (x: tf.Tensor): tf.Tensor =>
  hasKernel("BreveRelu", [x])
    ? (tf.engine().runKernel("BreveRelu", { x }) as tf.Tensor)
    : tf.where(tf.less(x, 0), tf.zerosLike(x), x)

const slope = (dy: tf.Tensor, y: tf.Tensor): tf.Tensor =>
  hasKernel("BreveReluGrad", [y, dy])
    ? (tf.engine().runKernel("BreveReluGrad", { y, dy }) as tf.Tensor)
    : tf.where(tf.lessEqual(y, 0), tf.zerosLike(dy), dy)

/**
 * The positive part of each element.
 *
 * - formula:  `y = 0` where `x < 0`, else `x`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = 0` where `x <= 0`, else `dy`, also where x is NaN
 * - errors:   none; NaN passes, and so does -0
 * - source:   Glorot, Bordes, Bengio 2011, "Deep sparse rectifier neural networks"
 *
 * @category activations
 * @since 0.3.0
 */
export const relu: (x: tf.Tensor) => tf.Tensor = Gradient.customGradient((x: tf.Tensor) => {
  const y = value(x)
  return { value: y, saved: [y], gradient: (dy, [y]: readonly [tf.Tensor]) => [slope(dy, y)] }
})

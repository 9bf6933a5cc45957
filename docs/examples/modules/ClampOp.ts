import * as tf from "@tensorflow/tfjs-core"
import { ClampOp } from "breve"

/** Both hold values in a range; they differ in what the gradient sees of what lay outside. */
export const example = () => {
  const x = tf.tensor1d([-3, 0.5, 3])
  return {
    value: ClampOp.within(x, -1, 1),
    gradient: tf.grad((v) => ClampOp.within(v, -1, 1))(x),
    straightThrough: tf.grad((v) => ClampOp.withinStraightThrough(v, -1, 1))(x)
  }
}

export const shows = { value: [-1, 0.5, 1], gradient: [0, 1, 0], straightThrough: [1, 1, 1] }

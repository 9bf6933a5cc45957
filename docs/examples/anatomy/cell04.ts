import * as tf from "@tensorflow/tfjs-core"
import { Sign } from "breve"

/** What `BinaryQuant` computes: `sign(x) * scale`, where the sign of 0 is 1 and gradients pass straight through. */
export const run = (x: tf.Tensor, scale: tf.Tensor): tf.Tensor => tf.mul(Sign.binary(x), scale)

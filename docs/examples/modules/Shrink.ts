import * as tf from "@tensorflow/tfjs-core"
import { Shrink } from "breve"

/** Small errors vanish, large ones become smaller: a step of a half-quadratic search. */
export const example = () => Shrink.shrink(tf.tensor1d([0.05, -0.2, 3]), 10, 0.7)

export const shows = [0, -0.0379343, 2.92808]

import * as tf from "@tensorflow/tfjs-core"
import { Relu } from "breve"

/** NaN stays NaN: what is broken must not look sound. */
export const example = () => Relu.relu(tf.tensor1d([-1, 2, Number.NaN]))

export const shows = [0, 2, Number.NaN]

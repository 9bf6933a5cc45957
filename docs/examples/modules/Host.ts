import * as tf from "@tensorflow/tfjs-core"
import { Host } from "breve"

/** A formula that a backend computes inexactly, element by element in double precision, rounded once. */
export const example = () => Host.map(tf.tensor1d([1, 2, 8]), (x) => Math.log2(x))

export const shows = [0, 1, 3]

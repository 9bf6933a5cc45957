import * as tf from "@tensorflow/tfjs-core"
import { Percentile } from "breve"

/** Of 100 magnitudes the one that 95 percent do not exceed: outliers do not count. */
export const example = () => Percentile.absPercentile(tf.linspace(-100, -1, 100), 95)

export const shows = 95

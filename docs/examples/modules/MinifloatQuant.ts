import * as tf from "@tensorflow/tfjs-core"
import { MinifloatQuant } from "breve"

/** To FP4 (e2m1, up to 6) times a scale of 0.5, so up to 3. */
export const example = () =>
  MinifloatQuant.quantize(tf.tensor1d([0.3, 0.9, -10]), tf.scalar(0.5), {
    rounding: "nearest",
    format: { mantissaBitWidth: 1, exponentBias: 1 },
    low: -6,
    high: 6,
    overflow: "saturate",
    clampPasses: false
  })

export const shows = [0.25, 1, -3]

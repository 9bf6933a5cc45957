import * as tf from "@tensorflow/tfjs-core"
import { Optimizer, Parameters } from "breve"
import { pipe } from "effect"

/** Weights held within -1 .. 1 and biases left as they are, as a network of one bit is trained. */
export const example = () => {
  const { init, update } = pipe(
    Optimizer.sgd(1),
    Parameters.keepWithin({ low: -1, high: 1, selection: (name) => name.endsWith("weight") }),
    Parameters.freeze(["fc.bias"])
  )
  const p = { "fc.weight": tf.scalar(0.5), "fc.bias": tf.scalar(0.5) }
  const [after] = update(init(p), p, { "fc.weight": tf.scalar(-3), "fc.bias": tf.scalar(-3) })
  return after
}

export const shows = { "fc.weight": 1, "fc.bias": 0.5 }

import * as tf from "@tensorflow/tfjs-core"
import { Optimizer } from "breve"

/** Two steps of gradient descent with momentum, as pure functions; `Trainer` and `Train` do this with a model. */
export const example = () => {
  const { init, update } = Optimizer.sgd(0.1, { momentum: 0.9 })
  const p = { weight: tf.scalar(1) }
  const gradients = { weight: tf.scalar(1) }
  const [first, state] = update(init(p), p, gradients)
  const [second] = update(state, first, gradients)
  return [first, second]
}

export const shows = [{ weight: 0.9 }, { weight: 0.71 }]

import * as tf from "@tensorflow/tfjs-core"
import { Delay, type Tree } from "breve"

/** The float value for two calls, the quantized one from then on: a network may learn for a while before it is quantized. */
export const example = () => {
  const delay = Delay.make(2)
  const call = (memory: Tree.Memory) =>
    delay.apply({ parameters: {}, memory, training: true }, tf.scalar(0.3), tf.scalar(0.25))
  const [first, after] = call(delay.memory)
  const [second, later] = call(after)
  return [first, second, call(later)[0]]
}

export const shows = [0.3, 0.3, 0.25]

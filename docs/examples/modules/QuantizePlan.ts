import * as tf from "@tensorflow/tfjs-core"
import { Calls, MergeBatchNorm, QuantizePlan } from "breve"
import { Effect } from "effect"
import { input, network } from "../float.ts"

/** Where quantizers belong, before any is put in: the layers with weights, and whether what they answer is quantized. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  return tf.tidy(() => {
    const { products } = QuantizePlan.of(Calls.run(merged, tf.ones([...input])))
    return [...products.values()].map(({ name, output, isLast }) => ({ name, output, isLast }))
  })
})

export const shows = [
  { name: "fc1", output: false, isLast: false },
  { name: "fc2", output: true, isLast: true }
]

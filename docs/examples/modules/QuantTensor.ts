import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"
import { Result } from "effect"

const about = { scale: 0.5, zeroPoint: 0, bitWidth: 4, signed: true, training: false }

/** A sum of quantized values is quantized, with a bit more; values of different scales do not add up. */
export const example = () => {
  const a = QuantTensor.fromNumbers(tf.tensor1d([1, -1.5, 3.5]), about)
  const b = QuantTensor.fromNumbers(tf.tensor1d([2, 0.5, 3.5]), about)
  const c = QuantTensor.fromNumbers(tf.tensor1d([0.25, 1, 1]), { ...about, scale: 0.25 })
  const failure = (wrong: { readonly _tag: string }) => wrong._tag
  return {
    sum: Result.match(QuantTensor.add(a, b), { onFailure: failure, onSuccess: (y) => y }),
    mixed: Result.match(QuantTensor.add(a, c), { onFailure: failure, onSuccess: () => "a sum" })
  }
}

export const shows = {
  sum: { value: [3, -1, 7], scale: 0.5, zeroPoint: 0, bitWidth: 5, signed: true },
  mixed: "ScaleMismatch"
}

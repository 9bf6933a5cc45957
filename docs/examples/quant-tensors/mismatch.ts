import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"
import { Result } from "effect"

const about = { zeroPoint: 0, bitWidth: 8, signed: true, training: true }

export const run = () =>
  tf.tidy(() => {
    const a = QuantTensor.fromNumbers(tf.tensor1d([1, -1.5]), { ...about, scale: 0.5, origin: "conv1.output" })
    const b = QuantTensor.fromNumbers(tf.tensor1d([1, -1.5]), { ...about, scale: 0.25, origin: "conv2.output" })
    const sum = QuantTensor.add(a, b)
    return Result.isFailure(sum) ? sum.failure.message : "no failure"
  })

import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"
import { Result } from "effect"

const about = { scale: 0.5, zeroPoint: 0, bitWidth: 8, signed: true, training: false }

export const run = () =>
  tf.tidy(() => {
    const a = QuantTensor.fromNumbers(tf.tensor1d([1, -1.5, 63.5]), { ...about, origin: "conv1.output" })
    const b = QuantTensor.fromNumbers(tf.tensor1d([2, 0.5, 63.5]), { ...about, origin: "conv2.output" })
    return Result.match(QuantTensor.add(a, b), {
      onFailure: ({ message }) => message,
      onSuccess: (y) =>
        QuantTensor.isQuantTensor(y)
          ? `integers ${QuantTensor.int(y).dataSync()} of ${y.bitWidth.dataSync()} bits, ${y.origin}`
          : "plain"
    })
  })

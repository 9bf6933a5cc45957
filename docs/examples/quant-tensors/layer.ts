import * as tf from "@tensorflow/tfjs-core"
import { QuantTensor } from "breve"
import { Result } from "effect"

const about = { zeroPoint: 0, bitWidth: 4, training: false }

export const run = () =>
  tf.tidy(() => {
    const x = QuantTensor.fromNumbers(tf.tensor2d([[0.2, 0.6, 1]]), { ...about, scale: 0.2, signed: false })
    const weight = QuantTensor.fromNumbers(
      tf.tensor2d([
        [0.5, -1],
        [2, 0],
        [-1, 3.5]
      ]),
      {
        ...about,
        scale: 0.5,
        signed: true
      }
    )
    return Result.match(QuantTensor.linear(x, weight), {
      onFailure: ({ message }) => message,
      onSuccess: (y) =>
        QuantTensor.isQuantTensor(y)
          ? `accumulators ${QuantTensor.int(y).dataSync()} of ${y.bitWidth.dataSync()} bits, in steps of 0.1`
          : "plain"
    })
  })

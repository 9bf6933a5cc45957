import * as tf from "@tensorflow/tfjs-core"
import { BiasCorrection, Calibrate, Gptq, Layer, type Ptq, QuantTensor } from "breve"
import { Effect, pipe } from "effect"
import { batches, inputs, network } from "./model.ts"

/** The mean squared difference to what the network answers in floats. */
export const errorOf = (model: Ptq.Model, float: Ptq.Model) =>
  Effect.gen(function* () {
    const x = inputs(9)
    const y = yield* Layer.forward(model, x)
    const wanted = yield* Layer.forward(float, x, Layer.without(Layer.evaluation))
    const [error = Number.NaN] = tf.tidy(() => {
      const [a, b] = [y, wanted].map((one) => QuantTensor.dequantized(one as Layer.Value)) as [tf.Tensor, tf.Tensor]
      return tf.losses.meanSquaredError(a, b).dataSync()
    })
    tf.dispose([x, ...Layer.tensorsIn(y), ...Layer.tensorsIn(wanted)])
    return error.toPrecision(2)
  })

export const run = Effect.gen(function* () {
  const model = yield* network
  const nearest = yield* Calibrate.calibrate(batches)(model)
  const quantized = yield* pipe(
    model,
    Calibrate.calibrate(batches),
    Effect.flatMap(Gptq.gptq(batches, { actOrder: true })),
    Effect.flatMap(BiasCorrection.correct(batches))
  )
  return `to nearest ${yield* errorOf(nearest, model)}, by GPTQ and bias correction ${yield* errorOf(quantized, model)}`
})

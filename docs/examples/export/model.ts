import * as tf from "@tensorflow/tfjs-core"
import { Activation, Layer, Linear, Model, QuantTensor, ScaledInt } from "breve"
import { Effect } from "effect"

/** Two layers whose biases lie on the grid of their sums: `Int32Bias` needs the format of the input, so quant tensors run through. */
export const make = Effect.gen(function* () {
  const learned = {
    weightQuant: ScaledInt.Int8WeightPerTensorFloat,
    weight: { bitWidth: 4 },
    biasQuant: ScaledInt.Int32Bias
  } as const
  const model = Model.sequential({
    input: yield* Activation.quantIdentity({ returnQuantTensor: true }),
    fc1: yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 32, ...learned, seed: 1 }),
    relu: yield* Activation.quantReLU({ act: { bitWidth: 4 }, returnQuantTensor: true }),
    fc2: yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 4, ...learned, seed: 2 })
  })
  // stands for training: the activations see some numbers
  const x = tf.tensor(
    Array.from({ length: 8 * 16 }, (_, i) => Math.sin(i)),
    [8, 16]
  )
  QuantTensor.dispose(yield* Layer.forward(model, x, Layer.training))
  x.dispose()
  return model
})

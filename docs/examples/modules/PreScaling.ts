import * as tf from "@tensorflow/tfjs-core"
import { Accumulator, Decoupled, Layer, Linear, QuantTensor, ScaledInt, Weighted } from "breve"
import { Effect } from "effect"

const input = { bitWidth: 8, signed: true }

/** Accumulator-aware weights: no sum of products leaves an accumulator of 16 bits, -32768 .. 32767, whatever the inputs of 8 bits are. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({
    inFeatures: 64,
    outFeatures: 2,
    weightQuant: Decoupled.Int8AccumulatorAwareWeightQuant,
    weight: { accumulatorBitWidth: 16 },
    inputQuant: ScaledInt.Int8ActPerTensorFloat,
    seed: 1
  })
  const x = tf.zeros([1, 64])
  const quantized = QuantTensor.fromNumbers(x, { ...input, scale: 1, zeroPoint: 0, training: false })
  const weight = yield* Weighted.quantWeight(layer, Layer.evaluation, quantized)
  const sums = Accumulator.extremes(weight, layer.outputChannelAxis, input)
  tf.dispose([x, ...QuantTensor.tensorsOf(quantized), ...QuantTensor.tensorsOf(weight)])
  return sums
})

export const shows = [
  { low: -28923, high: 28962 },
  { low: -28304, high: 28306 }
]

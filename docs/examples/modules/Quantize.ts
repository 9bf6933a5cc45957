import { MergeBatchNorm, Quantize } from "breve"
import { Effect } from "effect"
import { input, network } from "../float.ts"

/** A float network gets its quantizers: weights, biases, and what runs through. They learn by `Calibrate` or in training. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  const quantized = yield* Quantize.quantize({ input })(merged)
  return quantized.proxies.map(([name, { injector }]) => `${name}: ${injector.name}`)
})

export const shows = [
  "fc1.weightQuant: Int8WeightPerTensorFloat",
  "fc1.biasQuant: Int32Bias",
  "fc1.inputQuant: Int8ActPerTensorFloat",
  "relu.actQuant: Uint8ActPerTensorFloat",
  "fc2.weightQuant: Int8WeightPerTensorFloat",
  "fc2.biasQuant: Int32Bias",
  "fc2.outputQuant: Int8ActPerTensorFloat"
]

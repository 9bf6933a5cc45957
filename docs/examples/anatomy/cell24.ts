import { Convolution } from "breve"
import { Effect } from "effect"
import { MySignedBinaryWeightQuantizer } from "./cell12.ts"

const conv = Convolution.quantConv2d({
  inChannels: 3,
  outChannels: 2,
  kernelSize: [3, 3],
  weightQuant: MySignedBinaryWeightQuantizer
})

export const run = Effect.gen(function* () {
  const [first, second] = [yield* conv, yield* conv]
  return first.weightQuant === second.weightQuant // false
})

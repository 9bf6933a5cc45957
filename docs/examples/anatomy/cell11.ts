import { Convolution, Weighted } from "breve"
import { Effect } from "effect"
import { MyBinaryWeightQuantizer } from "./cell10.ts"

export const run = Effect.gen(function* () {
  const conv = yield* Convolution.quantConv2d({
    inChannels: 3,
    outChannels: 2,
    kernelSize: [3, 3],
    // @ts-expect-error "signed" is missing
    weightQuant: MyBinaryWeightQuantizer
  })
  // without the compiler: an error that names the declaration and the remedy
  return yield* Effect.flip(Weighted.quantWeight(conv))
})

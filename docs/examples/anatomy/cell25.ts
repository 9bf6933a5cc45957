import { Convolution } from "breve"
import { Effect } from "effect"
import { MySignedBinaryWeightQuantizer } from "./cell12.ts"
import { proxyOf } from "./weights.ts"

const shape = { inChannels: 3, outChannels: 2, kernelSize: [3, 3] } as const

export const sharing = Effect.gen(function* () {
  const first = yield* Convolution.quantConv2d({ ...shape, weightQuant: MySignedBinaryWeightQuantizer })
  const second = yield* Convolution.quantConv2d({ ...shape, weightQuant: yield* proxyOf(first) })
  return { first, second }
})

export const run = Effect.map(sharing, ({ first, second }) => first.weightQuant === second.weightQuant) // true

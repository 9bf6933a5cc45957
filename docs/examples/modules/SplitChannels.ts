import { MergeBatchNorm, type Ptq, SplitChannels, State } from "breve"
import { Effect } from "effect"
import { decibels, input, network } from "../float.ts"

/** The channels with the largest weights are done twice, each by half: the network answers the same with smaller weights. */
export const example = Effect.gen(function* () {
  const merged = yield* MergeBatchNorm.merge({ input })(yield* network)
  const split = yield* SplitChannels.splitChannels({ input, ratio: 0.25 })(merged)
  const shapeOf = (one: Ptq.Model) => Effect.map(State.parameters(one), ({ "fc1.weight": weight }) => weight?.shape)
  return {
    shapes: [yield* shapeOf(merged), yield* shapeOf(split)],
    decibels: [yield* decibels(merged), yield* decibels(merged, split)]
  }
})

export const shows = {
  shapes: [
    [16, 8],
    [16, 10]
  ],
  decibels: ["10.8", "11.8"]
}

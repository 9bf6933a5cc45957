import { Allocate, type Ptq, Structure } from "breve"
import { Effect } from "effect"
import { batches, network } from "../post-training/model.ts"

const of = (bitWidth: number) => ({
  quantizer: "Int8WeightPerChannelFloat",
  options: { bitWidth, scalingImplType: "parameterFromStats" }
})

/** Weights of 4 or 8 bits, 5 on average at most: what each layer got, as the step tells it. */
export const example = Effect.gen(function* () {
  const changes: Array<NonNullable<Ptq.StepDone["changes"]>[number]> = []
  const report = (event: Ptq.Event) =>
    Effect.sync(() => void (event._tag === "StepDone" && changes.push(...(event.changes ?? []))))
  yield* Allocate.allocate(batches, { candidates: [of(4), of(8)], budget: { of: "size", mean: 5 }, report })(
    yield* network
  )
  return Object.entries(Structure.quantizersIn(changes)).map(([name, { options }]) => `${name}: ${options?.bitWidth}`)
})

export const shows = ["fc1.weightQuant: 4", "fc2.weightQuant: 8"]

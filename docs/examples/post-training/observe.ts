import { Calibrate } from "breve"
import { Effect, Option, Stream } from "effect"
import { batches, network } from "./model.ts"

export const run = Effect.gen(function* () {
  const model = yield* network
  // two batches now, as a text that a file could hold ...
  const begun = yield* Stream.runLast(Stream.take(Calibrate.observing(model, batches), 2))
  const saved = JSON.stringify(Option.getOrThrow(begun))
  // ... and the rest later
  const from: Calibrate.Observation = JSON.parse(saved)
  const events: Array<string> = []
  yield* Calibrate.calibrate(Stream.drop(batches, 2), {
    from,
    report: (event) =>
      Effect.sync(() => {
        if (event._tag === "BatchSeen") events.push(`batch ${event.batch}`)
        if (event._tag === "StepDone") events.push(`${event.step}: ${event.layers.join(", ")}`)
      })
  })(model)
  return events.join("\n")
})

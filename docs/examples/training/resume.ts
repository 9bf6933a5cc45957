import { type Checkpoint, CheckpointArchive, Safetensors, Train } from "breve"
import { Effect, Ref, Stream } from "effect"
import { network } from "./network.ts"
import { options } from "./train.ts"

const toBytes = (checkpoint: Checkpoint.Checkpoint): Uint8Array => {
  const { tensors, metadata } = CheckpointArchive.encode(checkpoint)
  return Safetensors.encode(tensors, metadata)
}
const fromBytes = (bytes: Uint8Array) =>
  Effect.flatMap(Effect.fromResult(Safetensors.decode(bytes, "training.safetensors")), (archive) =>
    Effect.fromResult(CheckpointArchive.decode(archive))
  )

/** Stops after 50 steps, and goes on in a new model from the bytes that were saved; answers the last event. */
export const run = Effect.gen(function* () {
  const file = yield* Ref.make<Uint8Array>(new Uint8Array())
  const save = (checkpoint: Checkpoint.Checkpoint) => Ref.set(file, toBytes(checkpoint))
  yield* Train.run(yield* network, { ...options, checkpoints: { save } }).pipe(
    Stream.takeUntil((event) => event._tag === "StepDone" && event.step === 50),
    Stream.runDrain
  )
  const resume = yield* fromBytes(yield* Ref.get(file))
  return yield* Stream.runLast(Train.run(yield* network, { ...options, resume }))
})

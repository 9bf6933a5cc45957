import { Checkpoint, CheckpointArchive, Linear, Optimizer, Random, Safetensors, Trainer } from "breve"
import { Effect } from "effect"

/** A checkpoint as the bytes of a safetensors file, and back. */
export const example = Effect.gen(function* () {
  const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, seed: 1 })
  const trainer = yield* Trainer.make(layer, Optimizer.adam(0.01))
  const checkpoint = yield* Checkpoint.take(trainer, Checkpoint.beginning(Random.make(1)))
  const { tensors, metadata } = CheckpointArchive.encode(checkpoint)
  const archive = yield* Effect.fromResult(
    Safetensors.decode(Safetensors.encode(tensors, metadata), "training.safetensors")
  )
  const { position, optimizer } = yield* Effect.fromResult(CheckpointArchive.decode(archive))
  return { kind: optimizer.kind, epoch: position.epoch, tensors: Object.keys(archive.tensors) }
})

export const shows = { kind: "adam", epoch: 0, tensors: ["parameters/bias", "parameters/weight"] }

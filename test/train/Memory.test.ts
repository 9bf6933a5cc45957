import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const heap = (): number => {
  const { wasm } = tf.backend() as unknown as {
    readonly wasm: { readonly asm: { readonly memory: WebAssembly.Memory } }
  }
  return wasm.asm.memory.buffer.byteLength
}

it("1,000 steps of a quantized network leave the number of tensors and the WebAssembly heap where they were", async () => {
  const program = Effect.gen(function* () {
    const act = { collectStatsSteps: 10 }
    const model = Model.sequential({
      input: yield* Activation.quantIdentity({ act }),
      conv: yield* Convolution.quantConv2d({ inChannels: 1, outChannels: 4, kernelSize: [3, 3], padding: "same" }),
      norm: yield* Normalization.batchNorm({ channels: 4 }),
      relu: yield* Activation.quantReLU({ act }),
      pool: Pooling.maxPool2d({ size: [2, 2] }),
      flatten: Model.flatten,
      fc: yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 3 })
    })
    const x = tf.tensor(
      Float32Array.from({ length: 8 * 64 }, (_, i) => ((i * 40503) % 1021) / 512 - 1),
      [8, 8, 8, 1]
    )
    const labels = tf.tensor1d(
      Array.from({ length: 8 }, (_, i) => i % 3),
      "int32"
    )
    const trainer = yield* Trainer.make(model, Optimizer.adam(0.001))
    const step = Trainer.step(trainer, x, (y) => Loss.crossEntropy(y, labels))
    for (let i = 0; i < 50; i++) yield* step
    const [tensors, bytes] = [tf.memory().numTensors, heap()]
    const first = yield* step
    for (let i = 0; i < 999; i++) yield* step
    const last = yield* step
    expect(tf.memory().numTensors).toBe(tensors)
    expect(heap()).toBe(bytes)
    expect(last).toBeLessThan(first)
    tf.dispose([x, labels])
  })
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Backend.layer)))
})

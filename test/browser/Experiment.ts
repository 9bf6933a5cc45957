/**
 * What the browser test runs, in Node and on every page alike: resolves a quantizer, and trains a small convolutional network at eight
 * bits on drawn digits for 20 steps. It knows the published entries of the package alone.
 */

import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm"
import * as tf from "@tensorflow/tfjs-core"
import {
  Activation,
  Batch,
  Classifier,
  Convolution,
  Dataset,
  Digits,
  Injector,
  Linear,
  Loss,
  Model,
  Optimizer,
  Random,
  Safetensors,
  ScaledInt,
  State,
  TensorQuantizer,
  Train
} from "breve"
import * as Wasm from "breve/wasm"
import { Effect, pipe, Stream } from "effect"

export interface Options {
  /** where the page finds the binaries of tfjs; Node knows by itself */
  readonly wasmPaths?: string
  readonly relaxedSimd?: boolean
  readonly threads?: boolean
  /** how many threads tfjs takes */
  readonly threadCount?: number
}

/** Plain data, to be compared as text: numbers that have to be equal are written as their bits. */
export interface Report {
  readonly backend: string
  readonly sharedMemory: boolean
  /** breve's kernels that tfjs knows */
  readonly kernels: ReadonlyArray<string>
  /** what the resolved quantizer makes of three numbers, in bits */
  readonly quantized: ReadonlyArray<string>
  readonly losses: ReadonlyArray<number>
  /** the losses in bits */
  readonly lossBits: ReadonlyArray<string>
  /** SHA-256 of the trained state as a Safetensors file */
  readonly state: string
  /** of 200 digits that were not trained on, in percent */
  readonly accuracy: number
  readonly tensorsLeft: number
  readonly msPerStep: number
}

const seed = 7
const batchSize = 32
const steps = 20

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
const bitsOf = (value: number): string => new DataView(Float64Array.of(value).buffer).getBigUint64(0, true).toString(16)

const sha256 = (bytes: Uint8Array): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", Uint8Array.from(bytes))),
    (digest) => hex(new Uint8Array(digest))
  )

// ---- a quantizer --------------------------------------------------------------------------------------------

const quantized = Effect.gen(function* () {
  const quantizer = yield* pipe(
    ScaledInt.Int8WeightPerTensorFloat,
    Injector.let({ bitWidth: 4 }),
    Injector.resolve("tensorQuant")
  )
  return tf.tidy(() => {
    const { value } = TensorQuantizer.quantize(quantizer, tf.tensor1d([0.3, -0.7, 1.4]))
    return Array.from(value.dataSync(), bitsOf)
  })
})

// ---- a network ----------------------------------------------------------------------------------------------

// the scales are measured for a few steps, and learned in the others
const input = pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ collectStatsSteps: 5 }))
const actQuant = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 5 }))
const weightQuant = ScaledInt.Int8WeightPerTensorFloat

const conv = (inChannels: number, outChannels: number, order: number) =>
  Convolution.quantConv2d({
    inChannels,
    outChannels,
    kernelSize: [3, 3],
    strides: [2, 2],
    padding: "same",
    weightQuant,
    seed: seed + order
  })

const network = Effect.gen(function* () {
  const relu = Activation.quantReLU({ actQuant })
  return Model.sequential({
    input: yield* Activation.quantIdentity({ actQuant: input }),
    conv1: yield* conv(1, 8, 1),
    relu1: yield* relu,
    conv2: yield* conv(8, 16, 2),
    relu2: yield* relu,
    flatten: Model.flatten,
    fc1: yield* Linear.quantLinear({ inFeatures: 7 * 7 * 16, outFeatures: 64, weightQuant, seed: seed + 3 }),
    relu3: yield* relu,
    fc2: yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 10, weightQuant, seed: seed + 4 })
  })
})

const trained = Effect.gen(function* () {
  const digits = Digits.make(seed, steps * batchSize + 200)
  const source = Classifier.source(Dataset.reader(Dataset.slice(digits, 0, steps * batchSize)))
  const model = yield* network
  const events = yield* Stream.runCollect(
    Train.run(model, {
      optimizer: Optimizer.adam(4e-3),
      loss: Loss.crossEntropy,
      epochs: 1,
      batches: (random) => Batch.stream(source, { batchSize, random }),
      random: Random.make(seed)
    })
  )
  const done = [...events].filter((event) => event._tag === "StepDone")
  const times = done.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  return {
    losses: done.map(({ loss }) => loss),
    lossBits: done.map(({ loss }) => bitsOf(loss)),
    state: yield* sha256(Safetensors.encode(yield* State.parameters(model))),
    accuracy: yield* Classifier.accuracy(model, Dataset.reader(Dataset.slice(digits, steps * batchSize, digits.count))),
    msPerStep: times[times.length >> 1] ?? 0
  }
})

// ---- the whole ----------------------------------------------------------------------------------------------

/** The memory of tfjs's WASM module is shared where it has threads. */
const hasSharedMemory = (): boolean => {
  const { wasm } = tf.backend() as unknown as { readonly wasm: { readonly wasmMemory?: WebAssembly.Memory } }
  return wasm.wasmMemory !== undefined && !(wasm.wasmMemory.buffer instanceof ArrayBuffer)
}

const program = Effect.gen(function* () {
  const { name } = yield* Wasm.Backend
  const before = tf.memory().numTensors
  const work = yield* Effect.scoped(Effect.all({ quantized, trained }))
  return {
    backend: name,
    sharedMemory: hasSharedMemory(),
    kernels: tf
      .getKernelsForBackend("wasm")
      .map(({ kernelName }) => kernelName)
      .filter((kernelName) => kernelName.startsWith("Breve"))
      .sort(),
    quantized: work.quantized,
    ...work.trained,
    tensorsLeft: tf.memory().numTensors - before
  } satisfies Report
})

export const run = ({ threadCount, ...options }: Options): Promise<Report> => {
  if (threadCount !== undefined) setThreadsCount(threadCount)
  return Effect.runPromise(Effect.provide(program, Wasm.layerWith(options)))
}

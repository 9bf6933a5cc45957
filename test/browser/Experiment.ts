/**
 * What the browser test runs, in Node and on every page alike: resolves a quantizer, trains a small convolutional network at eight
 * bits on drawn digits for 20 steps, exports it, and runs the file in onnxruntime-web against the integers and the model. It knows
 * the published entries of the package alone.
 */

import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm"
import * as tf from "@tensorflow/tfjs-core"
import {
  Activation,
  Batch,
  Certificate,
  Classifier,
  Convolution,
  Dataset,
  Digits,
  Injector,
  type Layer,
  Linear,
  Loss,
  Model,
  Onnx,
  OnnxRuntime,
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
  /** SHA-256 of the network as an ONNX file (QCDQ), and as one of floats */
  readonly exported: readonly [qcdq: string, float: string]
  /** of the file, run on digits that were not trained on */
  readonly certificate: Certificate.Certificate
  readonly tensorsLeft: number
  readonly msPerStep: number
}

const seed = 7
const batchSize = 32
const steps = 20
/** how many digits the file is run on */
const compared = 100

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
const learned = { weightQuant: ScaledInt.Int8WeightPerTensorFloat, biasQuant: ScaledInt.Int32Bias }
const returnQuantTensor = true

const conv = (inChannels: number, outChannels: number, order: number) =>
  Convolution.quantConv2d({
    inChannels,
    outChannels,
    kernelSize: [3, 3],
    strides: [2, 2],
    padding: "same",
    ...learned,
    seed: seed + order
  })

const network = Effect.gen(function* () {
  const relu = Activation.quantReLU({ actQuant, returnQuantTensor })
  return Model.sequential({
    input: yield* Activation.quantIdentity({ actQuant: input, returnQuantTensor }),
    conv1: yield* conv(1, 8, 1),
    relu1: yield* relu,
    conv2: yield* conv(8, 16, 2),
    relu2: yield* relu,
    flatten: Model.flatten,
    fc1: yield* Linear.quantLinear({ inFeatures: 7 * 7 * 16, outFeatures: 64, ...learned, seed: seed + 3 }),
    relu3: yield* relu,
    fc2: yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 10, ...learned, seed: seed + 4 })
  })
})

/** The network as files, and what the runtime makes of the first of them. */
const exported = (model: Layer.Layer, digits: Dataset.Dataset) =>
  Effect.gen(function* () {
    const options = { inputShape: [1, 28, 28, 1] }
    const qcdq = yield* Onnx.exportQcdq(model, options)
    const float = yield* Onnx.exportFloat(model, options)
    const indices = Uint32Array.from({ length: compared }, (_, i) => i)
    const data = Dataset.pixels(digits, indices).map((grey) => grey - 0.5)
    const certificate = yield* Certificate.certify(qcdq, model, { shape: [compared, 28, 28, 1], data })
    return { exported: [yield* sha256(qcdq), yield* sha256(float)] as const, certificate }
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
  const others = Dataset.slice(digits, steps * batchSize, digits.count)
  const done = [...events].filter((event) => event._tag === "StepDone")
  const times = done.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  return {
    losses: done.map(({ loss }) => loss),
    lossBits: done.map(({ loss }) => bitsOf(loss)),
    state: yield* sha256(Safetensors.encode(yield* State.parameters(model))),
    accuracy: yield* Classifier.accuracy(model, Dataset.reader(others)),
    ...(yield* exported(model, others)),
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
  return Effect.runPromise(program.pipe(Effect.provide(Wasm.layerWith(options)), Effect.provide(OnnxRuntime.layer)))
}

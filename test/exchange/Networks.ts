/** Small networks for tests of the export: trained for a few steps, so that every scale is learned and every tie an accident. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Trainer from "../../src/train/Trainer.ts"

export const drawn = (seed: number, shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Random.uniform(
      Random.make(seed),
      shape.reduce((a, b) => a * b, 1),
      -1,
      1
    ),
    [...shape]
  )

/** Steps of training towards zeros. */
export const train = (model: Layer.Layer, shape: ReadonlyArray<number>, steps = 5) =>
  Effect.gen(function* () {
    const trainer = yield* Trainer.make(model, Optimizer.sgd(0.05))
    for (let i = 0; i < steps; i++) {
      const x = drawn(100 + i, shape)
      yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(y as tf.Tensor)) as tf.Scalar)
      x.dispose()
    }
  })

const parts = (bits: number) => ({
  input: Activation.quantIdentity({
    actQuant: pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2 })),
    returnQuantTensor: true
  }),
  relu: Activation.quantReLU({
    actQuant: pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2, bitWidth: bits })),
    returnQuantTensor: true
  }),
  learned: {
    weightQuant: pipe(ScaledInt.Int8WeightPerChannelFloat, Injector.let({ bitWidth: bits })),
    biasQuant: ScaledInt.Int32Bias
  }
})

export const mlpShape = [8, 20] as const
export const mlp = (bits: number) =>
  Effect.gen(function* () {
    const { input, relu, learned } = parts(bits)
    const fc = (inFeatures: number, outFeatures: number, seed: number) =>
      Linear.quantLinear({ inFeatures, outFeatures, seed, ...learned, returnQuantTensor: false })
    const model = Model.sequential({
      input: yield* input,
      fc1: yield* fc(20, 24, 1),
      relu1: yield* relu,
      fc2: yield* fc(24, 16, 2),
      relu2: yield* relu,
      fc3: yield* fc(16, 5, 3)
    })
    yield* train(model, mlpShape)
    return model
  })

export const cnnShape = [2, 9, 8, 2] as const
export const cnn = (bits: number) =>
  Effect.gen(function* () {
    const { input, relu, learned } = parts(bits)
    const model = Model.sequential({
      input: yield* input,
      conv1: yield* Convolution.quantConv2d({
        inChannels: 2,
        outChannels: 6,
        kernelSize: [3, 3],
        padding: "same",
        strides: [2, 1],
        seed: 1,
        ...learned
      }),
      relu1: yield* relu,
      pool: Pooling.maxPool2d({ size: [2, 2] }),
      conv2: yield* Convolution.quantConv2d({
        inChannels: 6,
        outChannels: 4,
        kernelSize: [2, 3],
        padding: 1,
        groups: 2,
        dilations: [1, 2],
        seed: 2,
        ...learned
      }),
      relu2: yield* relu,
      flatten: Model.flatten,
      fc: yield* Linear.quantLinear({ inFeatures: 24, outFeatures: 5, seed: 3, ...learned })
    })
    yield* train(model, cnnShape)
    return model
  })

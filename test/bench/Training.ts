/**
 * The figures of training: one step of a small MLP and a small CNN, float, and with int8 weights and activations whose
 * scales are learned.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"
import { type Figure, spread } from "./Figure.ts"

type Building = Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope>

const relu = (quantized: boolean) =>
  Activation.quantReLU({ actQuant: quantized ? ScaledInt.Uint8ActPerTensorFloat : null, act: { collectStatsSteps: 5 } })
const input = (quantized: boolean) =>
  Activation.quantIdentity({
    actQuant: quantized ? ScaledInt.Int8ActPerTensorFloat : null,
    act: { collectStatsSteps: 5 }
  })

const linear = (quantized: boolean, inFeatures: number, outFeatures: number) =>
  Linear.quantLinear({ inFeatures, outFeatures, weightQuant: quantized ? ScaledInt.Int8WeightPerTensorFloat : null })

const convolution = (quantized: boolean, inChannels: number, outChannels: number) =>
  Convolution.quantConv2d({
    inChannels,
    outChannels,
    kernelSize: [3, 3],
    padding: "same",
    weightQuant: quantized ? ScaledInt.Int8WeightPerTensorFloat : null
  })

const pool = Pooling.maxPool2d({ size: [2, 2] })

/** 784-256-256-10. */
const mlp = (quantized: boolean): Building =>
  Effect.gen(function* () {
    return Model.sequential({
      input: yield* input(quantized),
      fc1: yield* linear(quantized, 784, 256),
      relu1: yield* relu(quantized),
      fc2: yield* linear(quantized, 256, 256),
      relu2: yield* relu(quantized),
      fc3: yield* linear(quantized, 256, 10)
    })
  })

/** Convolutions 3x3 1-16 and 16-32, each with a pool, then 1568-64-10. */
const cnn = (quantized: boolean): Building =>
  Effect.gen(function* () {
    return Model.sequential({
      input: yield* input(quantized),
      conv1: yield* convolution(quantized, 1, 16),
      relu1: yield* relu(quantized),
      pool1: pool,
      conv2: yield* convolution(quantized, 16, 32),
      relu2: yield* relu(quantized),
      pool2: pool,
      flatten: Model.flatten,
      fc1: yield* linear(quantized, 1568, 64),
      relu3: yield* relu(quantized),
      fc2: yield* linear(quantized, 64, 10)
    })
  })

/** One step on a fixed batch; the quantizers have seen enough to learn their scales. */
const step = (name: string, building: Building, x: tf.Tensor) =>
  Effect.gen(function* () {
    const trainer = yield* Trainer.make(yield* building, Optimizer.sgd(0.01))
    const labels = tf.tensor1d(
      Array.from({ length: x.shape[0] as number }, (_, i) => i % 10),
      "int32"
    )
    const once = Trainer.step(trainer, x, (y) => Loss.crossEntropy(y, labels))
    for (let i = 0; i < 8; i++) yield* once
    const figure: Figure = { name, inner: 1, call: () => Effect.runSync(once) }
    return figure
  })

export const figures = Effect.gen(function* () {
  const digits = spread([64, 784])
  const images = spread([32, 28, 28, 1])
  return [
    yield* step("step.mlp.float", mlp(false), digits),
    yield* step("step.mlp.int8", mlp(true), digits),
    yield* step("step.cnn.float", cnn(false), images),
    yield* step("step.cnn.int8", cnn(true), images)
  ]
})

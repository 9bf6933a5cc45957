import * as tf from "@tensorflow/tfjs-core"
import { Deferred, Effect, Fiber, pipe, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import type { Module } from "../../src/core/Module.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import { Int8WeightPerTensorFloat } from "../../src/quant/ScaledInt.ts"

/** Runs the body in a Scope and expects that it leaves no tensor behind. */
const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

/** A tensor of the test's own, for as long as its Scope. */
const owned = (make: () => tf.Tensor): Effect.Effect<tf.Tensor, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const numbers = (tensor: tf.Tensor | undefined): ReadonlyArray<number> => Array.from((tensor as tf.Tensor).dataSync())

/** A learned weight scale that begins as the largest magnitude of the weight. */
const Learned = pipe(
  Int8WeightPerTensorFloat,
  Injector.let({ signed: true, scalingImpl: Scaling.ParameterScaling }),
  Injector.merge(
    Injector.make("Learned", {
      scalingInit: Brick.tensor(["module"], (m: Module) => tf.max(tf.abs(m.weight)))
    })
  )
)
const scaleName = "weightQuant.scalingImpl.value"
const linear = Effect.suspend(() =>
  Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: Learned as Injector.Any })
)
const weights = (...values: ReadonlyArray<number>) => owned(() => tf.tensor2d([...values], [values.length, 1]))

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`State on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    scopedTest("a model that is used, trained and loaded leaves no tensor behind", () =>
      Effect.gen(function* () {
        const conv1 = yield* Convolution.quantConv2d({
          inChannels: 1,
          outChannels: 2,
          kernelSize: [3, 3],
          weightQuant: Learned as Injector.Any
        })
        const conv2 = yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 1, kernelSize: [3, 3] })
        const input = yield* Activation.quantIdentity()
        const model = Model.sequential({ input, conv1, conv2 })
        const x = yield* owned(() => tf.randomNormal([2, 7, 7, 1]))
        for (const mode of [Layer.training, Layer.training, Layer.evaluation]) {
          const y = yield* Layer.forward(model, x, mode)
          expect(Layer.read(model).size).toBe(5)
          yield* Effect.sync(() => tf.dispose(y as tf.Tensor))
        }
        const quantized = yield* Weighted.quantWeight(conv1)
        tf.dispose([quantized.value, quantized.scale, quantized.zeroPoint, quantized.bitWidth])
        const w = yield* owned(() => tf.ones([3, 3, 1, 2]))
        yield* State.load(model, { "conv1.weight": w })
      })
    )
  })

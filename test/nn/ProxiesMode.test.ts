/** Quantization switched off by a mode, with nothing switched in the model. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Embedding from "../../src/nn/Embedding.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Decoupled from "../../src/quant/Decoupled.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const waves = (...shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => 3 * Math.sin(i * 1.7 + 0.3)),
    [...shape]
  )

/** The answer as numbers; whether it has a format. */
const answered = <In>(layer: Layer.Layer<In>, x: In, mode: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const found = { isQuantized: QuantTensor.isQuantTensor(y), values: [...QuantTensor.dequantized(y).dataSync()] }
    tf.dispose([...Layer.tensorsIn(y)])
    return found
  })

const {
  Int8ActPerTensorFloat: Int8Act,
  Uint8ActPerTensorFloat: Uint8Act,
  Int32Bias,
  Int8BiasPerTensorFloatInternalScaling
} = ScaledInt
const none = { weightQuant: null, biasQuant: null, inputQuant: null, outputQuant: null } as const
const sizes = { inFeatures: 6, outFeatures: 3, seed: 5 }
const windows = { inChannels: 2, outChannels: 3, kernelSize: [2, 2], seed: 5 } as const
const everything = { inputQuant: Uint8Act, biasQuant: Int32Bias, outputQuant: Int8Act, returnQuantTensor: true }
const off = Layer.without(Layer.evaluation)

/** A residual network, with all its quantizers or without any. */
const network = (quantized: boolean) =>
  Effect.gen(function* () {
    const act = quantized ? {} : { actQuant: null }
    const slots = quantized ? { inputQuant: Int8Act, biasQuant: Int32Bias } : none
    const ends = quantized ? {} : { inputQuant: null, outputQuant: null }
    const enter = yield* Activation.quantIdentity({ ...act, returnQuantTensor: quantized } as never)
    const conv = yield* Convolution.quantConv2d({ ...windows, outChannels: 2, padding: "same", ...slots } as never)
    const relu = yield* Activation.quantReLU({ ...act, returnQuantTensor: quantized } as never)
    const add = yield* Elementwise.quantEltwiseAdd(ends as never)
    const tanh = yield* Activation.quantHardTanh({ ...act, minVal: -0.5, maxVal: 0.5 } as never)
    const out = yield* Linear.quantLinear({ ...sizes, inFeatures: 32, ...slots } as never)
    const layers = { enter, conv, relu, add, tanh, flatten: Model.flatten, out }
    return Model.functional(layers, (layer, x: Layer.Value) => {
      const entered = layer.enter(x)
      return layer.out(layer.flatten(layer.tanh(layer.add([layer.relu(layer.conv(entered)), entered]))))
    })
  })

const cellsOf = (layer: Layer.Stateful) =>
  [...Layer.read(layer).values()].map(({ parameters, memory }) => [parameters, memory])

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("a mode without quantization, on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))

  scopedTest("a linear layer and a convolution compute as unquantized ones, to the bit, and answer plain values", () =>
    Effect.gen(function* () {
      const pairs = [
        [yield* Linear.quantLinear({ ...sizes, ...everything }), yield* Linear.quantLinear({ ...sizes, ...none })],
        [
          yield* Linear.quantLinear({ ...sizes, ...everything, biasQuant: Int8BiasPerTensorFloatInternalScaling }),
          yield* Linear.quantLinear({ ...sizes, ...none })
        ],
        [
          yield* Convolution.quantConv2d({ ...windows, ...everything }),
          yield* Convolution.quantConv2d({ ...windows, ...none })
        ]
      ] as const
      const rows = yield* owned(() => waves(4, 6))
      const inputs = [rows, rows, yield* owned(() => waves(2, 4, 4, 2))]
      for (const [i, [quantized, plain]] of pairs.entries()) {
        const x = inputs[i] as tf.Tensor
        const expected = yield* answered(plain, x, Layer.evaluation)
        expect(yield* answered(quantized, x, off)).toEqual(expected)
        expect((yield* answered(quantized, x, Layer.evaluation)).values).not.toEqual(expected.values)
        expect((yield* answered(quantized, x, Layer.evaluation)).isQuantized).toBe(true)
      }
    })
  )

  scopedTest("a whole residual network computes as the one without quantizers, to the bit", () =>
    Effect.gen(function* () {
      const [quantized, plain] = [yield* network(true), yield* network(false)]
      const x = yield* owned(() => waves(2, 4, 4, 2))
      const expected = yield* answered(plain, x, Layer.evaluation)
      expect(yield* answered(quantized, x, off)).toEqual(expected)
      expect((yield* answered(quantized, x, Layer.evaluation)).values).not.toEqual(expected.values)
    })
  )

  scopedTest("leaves every parameter and all memory as they are, in training too, and when statistics are due", () =>
    Effect.gen(function* () {
      const model = yield* network(true)
      const x = yield* owned(() => waves(2, 4, 4, 2))
      for (const warm of [false, true]) {
        if (warm) yield* answered(model, x, Layer.training)
        const before = cellsOf(model)
        for (const training of [false, true]) yield* answered(model, x, Layer.without({ training }))
        for (const [i, [parameters, memory]] of cellsOf(model).entries()) {
          expect(parameters).toBe(before[i]?.[0])
          expect(memory).toBe(before[i]?.[1])
        }
      }
    })
  )

  scopedTest(
    "only some slots: weights stay quantized, what runs through does not, nor what depends on its format",
    () =>
      Effect.gen(function* () {
        const layer = yield* Linear.quantLinear({ ...sizes, ...everything })
        const alone = yield* Linear.quantLinear(sizes)
        const acts = yield* Linear.quantLinear({
          ...sizes,
          ...everything,
          weightQuant: null,
          biasQuant: null,
          outputQuant: null,
          returnQuantTensor: false
        })
        const x = yield* owned(() => waves(4, 6))
        const expected = yield* answered(alone, x, Layer.evaluation)
        expect(yield* answered(layer, x, Layer.without(Layer.evaluation, Layer.activationSlots))).toEqual(expected)
        const weightless = Layer.without(Layer.without(Layer.evaluation, Layer.parameterSlots), ["output"])
        expect(yield* answered(layer, x, weightless)).toEqual(yield* answered(acts, x, Layer.evaluation))
      })
  )

  scopedTest("an accumulator-aware weight is not quantized where the input has no format for it", () =>
    Effect.gen(function* () {
      const weightQuant = Decoupled.Int8AccumulatorAwareWeightQuant
      const layer = yield* Linear.quantLinear({ ...sizes, weightQuant, inputQuant: Uint8Act })
      const plain = yield* Linear.quantLinear({ ...sizes, ...none })
      const x = yield* owned(() => waves(4, 6))
      const mode = Layer.without(Layer.evaluation, ["input"])
      expect(yield* answered(layer, x, mode)).toEqual(yield* answered(plain, x, Layer.evaluation))
    })
  )

  scopedTest("layers that ask for quant tensors answer plain ones: tables, pools, activations, sums", () =>
    Effect.gen(function* () {
      const x = yield* owned(() => waves(1, 4, 4, 2))
      const ids = yield* owned(() => tf.tensor1d([1, 0], "int32"))
      const table = yield* Embedding.quantEmbedding({ numEmbeddings: 3, embeddingDim: 2, returnQuantTensor: true })
      const bare = yield* Embedding.quantEmbedding({ numEmbeddings: 3, embeddingDim: 2, weightQuant: null })
      expect(yield* answered(table, ids, off)).toEqual(yield* answered(bare, ids, Layer.evaluation))
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
      const averages = yield* owned(() => tf.avgPool(x as tf.Tensor4D, 2, 2, "valid"))
      const pooled = yield* answered(pool, x, off)
      expect(pooled.isQuantized).toBe(false)
      for (const [i, value] of pooled.values.entries()) expect(value).toBeCloseTo(averages.dataSync()[i] as number, 5)
      const clip = yield* Activation.quantHardTanh({ minVal: -0.5, maxVal: 0.5, returnQuantTensor: true })
      const clipped = [...x.dataSync()].map((v) => Math.min(Math.max(v, -0.5), 0.5))
      expect(yield* answered(clip, x, off)).toEqual({ isQuantized: false, values: clipped })
      const add = yield* Elementwise.quantEltwiseAdd({ returnQuantTensor: true })
      const doubled = [...x.dataSync()].map((v) => Math.fround(2 * v))
      expect(yield* answered(add, [x, x] as const, off)).toEqual({ isQuantized: false, values: doubled })
    })
  )

  scopedTest("what is missing for another reason is still a failure", () =>
    Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ ...sizes, biasQuant: Int32Bias })
      const x = yield* owned(() => waves(4, 6))
      expect(yield* Effect.flip(Layer.forward(layer, x))).toMatchObject({ _tag: "MissingInput", layer: "biasQuant" })
    })
  )

  scopedTest("a model trains in floats and then with quantizers, by the same cells", () =>
    Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ ...sizes, inputQuant: Int8Act })
      const plain = yield* Linear.quantLinear({ ...sizes, ...none })
      const [x, target] = [yield* owned(() => waves(4, 6)), yield* owned(() => tf.ones([4, 3]))]
      const floating: Layer.Layer = {
        ...layer,
        apply: (states, x, mode) => layer.apply(states, x, Layer.without(mode))
      }
      const losses: Array<ReadonlyArray<number>> = []
      for (const model of [floating, plain]) {
        const trainer = yield* Trainer.make(model, Optimizer.sgd(0.01))
        const steps: Array<number> = []
        for (let i = 0; i < 3; i++) steps.push(yield* Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target)))
        losses.push(steps)
      }
      expect(losses[0]).toEqual(losses[1])
      const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.01))
      const quantized = yield* Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target))
      expect(quantized).toBeLessThan(losses[0]?.[0] as number)
    })
  )
})

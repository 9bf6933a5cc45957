/** Frozen layers: evaluation with what was learned quantized once. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Exit, Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Decoupled from "../../src/quant/Decoupled.ts"
import * as Dynamic from "../../src/quant/Dynamic.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
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
const waves = (phase: number, ...shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => Math.sin(i * 1.7 + phase)),
    [...shape]
  )

const answered = (layer: Layer.Layer, x: Layer.Value, mode = Layer.evaluation) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const found = Layer.tensorsIn(y).map((tensor) => [...tensor.dataSync()])
    tf.dispose([...Layer.tensorsIn(y)])
    return found
  })

const { Int8ActPerTensorFloat: Int8Act, Uint8ActPerTensorFloat: Uint8Act, Int32Bias } = ScaledInt
const sizes = { inFeatures: 32, outFeatures: 3, seed: 5 }

const networkOf = (options: object) =>
  Effect.gen(function* () {
    const conv = yield* Convolution.quantConv2d({
      ...{ inChannels: 2, outChannels: 2, kernelSize: [3, 3] as const, padding: "same" as const },
      ...{ inputQuant: Int8Act, biasQuant: Int32Bias }
    })
    const relu = yield* Activation.quantReLU({ returnQuantTensor: true })
    const out = yield* Linear.quantLinear({ ...sizes, biasQuant: Int32Bias, ...options } as never)
    return Model.functional({ conv, relu, out }, (layer, x: Layer.Value) => {
      const y = layer.relu(layer.conv(x))
      return layer.out(QuantTensor.flatten(y) as never)
    })
  })

/** How often the quantizers of a kind of slot are asked. */
const counting = (layer: Layer.Stateful, slot: string) =>
  Effect.sync(() => {
    const count = { calls: 0 }
    for (const [, proxy] of layer.proxies) {
      if (proxy.slot !== slot) continue
      const living = LeasedRef.current(proxy.cell)
      const quantizer = living.quantizer as TensorQuantizer
      const apply: TensorQuantizer["apply"] = (...args) => {
        count.calls += 1
        return quantizer.apply(...args)
      }
      LeasedRef.set(proxy.cell, { ...living, quantizer: { ...quantizer, apply } }, () => undefined)
    }
    return count
  })

const declarations: Readonly<Record<string, object>> = {
  "8-bit weights": {},
  "weights per channel, statistics": { weightQuant: ScaledInt.Int8WeightPerChannelFloat },
  "a decoupled weight": { weightQuant: Decoupled.Int8WeightPerChannelFloatDecoupled },
  "an accumulator-aware weight": {
    weightQuant: Injector.let(Decoupled.Int8AccumulatorAwareWeightQuant, { accumulatorBitWidth: 14 })
  },
  "a weight in groups": { weightQuant: Microscaling.MXInt8Weight, biasQuant: null },
  "no weight quantizer": { weightQuant: null, biasQuant: null }
}

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("frozen layers on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))

  for (const [name, options] of Object.entries(declarations))
    scopedTest(`${name}: the bits of evaluation, and still after the original has trained on`, () =>
      Effect.gen(function* () {
        const model = yield* networkOf(options)
        const [x, other] = [yield* owned(() => waves(0.3, 2, 4, 4, 2)), yield* owned(() => waves(2, 2, 4, 4, 2))]
        const target = yield* owned(() => tf.ones([2, 3]))
        const trainer = yield* Trainer.make(model, Optimizer.sgd(0.05))
        const step = Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target))
        yield* step
        const expected = [yield* answered(model, x), yield* answered(model, other)]
        const frozen = yield* Frozen.make(model)
        for (const mode of [Layer.evaluation, Layer.training])
          expect([yield* answered(frozen, x, mode), yield* answered(frozen, other, mode)]).toEqual(expected)
        yield* step
        yield* step
        expect([yield* answered(frozen, x), yield* answered(frozen, other)]).toEqual(expected)
        expect([yield* answered(model, x), yield* answered(model, other)]).not.toEqual(expected)
      })
    )

  scopedTest("weights and biases are quantized once, inputs at each call", () =>
    Effect.gen(function* () {
      const model = yield* networkOf({ weightQuant: Decoupled.Int8AccumulatorAwareWeightQuant })
      const x = yield* owned(() => waves(0.3, 2, 4, 4, 2))
      yield* answered(model, x, Layer.training)
      const [weights, biases, inputs] = [
        yield* counting(model, "weight"),
        yield* counting(model, "bias"),
        yield* counting(model, "input")
      ]
      const frozen = yield* Frozen.make(model)
      for (let i = 0; i < 5; i++) yield* answered(frozen, x)
      expect([weights.calls, biases.calls, inputs.calls]).toEqual([2, 2, 5])
      for (let i = 0; i < 5; i++) yield* answered(model, x)
      expect([weights.calls, biases.calls, inputs.calls]).toEqual([12, 12, 10])
    })
  )

  scopedTest("a bias on scales that differ from call to call follows them", () =>
    Effect.gen(function* () {
      for (const dynamic of [Dynamic.Int8DynamicActPerTensorFloat, Dynamic.ShiftedUint8DynamicActPerTensorFloat]) {
        const layer = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 2,
          inputQuant: dynamic as typeof Dynamic.Int8DynamicActPerTensorFloat,
          biasQuant: Int32Bias
        })
        const [a, b] = [
          yield* owned(() => waves(0.3, 2, 4)),
          yield* owned(() => tf.tidy(() => tf.mul(waves(1, 2, 4), 7)))
        ]
        const frozen = yield* Frozen.make(layer)
        for (const x of [a, b, a, b]) expect(yield* answered(frozen, x)).toEqual(yield* answered(layer, x))
      }
    })
  )

  scopedTest("a mode without quantization is respected", () =>
    Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ ...sizes, inputQuant: Int8Act })
      const x = yield* owned(() => waves(0.3, 2, 32))
      const frozen = yield* Frozen.make(layer)
      const off = Layer.without(Layer.evaluation)
      expect(yield* answered(frozen, x, off)).toEqual(yield* answered(layer, x, off))
    })
  )

  scopedTest("outlives the original, a load of it, and releases all with its scope", () =>
    Effect.gen(function* () {
      const own = yield* Scope.make()
      const model = yield* Scope.provide(networkOf({}), own)
      const x = yield* owned(() => waves(0.3, 2, 4, 4, 2))
      yield* answered(model, x, Layer.training)
      const expected = yield* answered(model, x)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const frozen = yield* Frozen.make(model)
          const weight = yield* owned(() => tf.zeros([32, 3]))
          yield* State.load(model, { "out.weight": weight })
          expect(yield* answered(frozen, x)).toEqual(expected)
          expect(yield* answered(model, x)).not.toEqual(expected)
          yield* Scope.close(own, Exit.void)
          expect(yield* answered(frozen, x)).toEqual(expected)
        })
      )
    })
  )

  scopedTest(
    "training the original keeps no old parameters while a frozen copy lives; calls leave nothing behind",
    () =>
      Effect.gen(function* () {
        const layer = yield* Linear.quantLinear({ ...sizes, inputQuant: Uint8Act })
        const [x, target] = [yield* owned(() => waves(0.3, 2, 32)), yield* owned(() => tf.ones([2, 3]))]
        const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.05))
        const step = Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target))
        yield* step
        const frozen = yield* Frozen.make(layer)
        yield* answered(frozen, x)
        yield* step
        const before = tf.memory().numTensors
        for (let i = 0; i < 5; i++) yield* Effect.andThen(step, answered(frozen, x))
        expect(tf.memory().numTensors).toBe(before)
      })
  )

  scopedTest("has nothing to train, and gives its input the gradient of evaluation", () =>
    Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ ...sizes, inputQuant: Int8Act, biasQuant: Int32Bias })
      const x = yield* owned(() => waves(0.3, 2, 32))
      yield* answered(layer, x, Layer.training)
      const frozen = yield* Frozen.make(layer)
      expect([frozen.cells, frozen.proxies, frozen.kind]).toEqual([[], [], layer.kind])
      const slope = (one: Layer.Layer) =>
        owned(() =>
          tf.grad((x) => tf.sum(QuantTensor.dequantized(one.apply(Layer.read(one), x, Layer.evaluation)[0])))(x)
        )
      const [a, b] = [yield* slope(frozen), yield* slope(layer)]
      expect([...a.dataSync()]).toEqual([...b.dataSync()])
      expect(a.dataSync().some((v) => v !== 0)).toBe(true)
    })
  )
})

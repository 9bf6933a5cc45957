import * as tf from "@tensorflow/tfjs-core"
import { Effect, Fiber, pipe, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as BiasCorrection from "../../src/ptq/BiasCorrection.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import * as Gpfq from "../../src/ptq/Gpfq.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import type { StepError } from "../../src/ptq/Layerwise.ts"
import * as Magr from "../../src/ptq/Magr.ts"
import * as Ptq from "../../src/ptq/Ptq.ts"
import * as Qronos from "../../src/ptq/Qronos.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const learned = { bitWidth: 4, scalingImplType: "parameterFromStats" } as const
const weightQuant = ScaledInt.Int8WeightPerChannelFloat

const network = () =>
  Effect.gen(function* () {
    const input = yield* Activation.quantIdentity()
    const fc1 = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 8, seed: 1, weightQuant, weight: learned })
    const relu = yield* Activation.quantReLU()
    const fc2 = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 3, seed: 2, weightQuant, weight: learned })
    return Model.sequential({ input, body: Model.sequential({ fc1, relu }), fc2 })
  })

/** Inputs of which some go together. */
const values = (seed: number, rows = 32): Float32Array => {
  const x = Random.normal(Random.make(seed), rows * 6, 0, 1)
  for (let i = 0; i < rows; i++) x[i * 6 + 1] = (x[i * 6] as number) + 0.1 * (x[i * 6 + 1] as number)
  return x
}
const batch = (seed: number) => (): tf.Tensor => tf.tensor2d(values(seed), [32, 6])
const batches = Stream.make(batch(1), batch(2), batch(3))

/** All numbers of a model's state. */
const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

/** Mean squared difference to the float network of the weights in `reference`. */
const errorOf = (model: Layer.Layer, wanted: Float32Array) =>
  Effect.gen(function* () {
    const x = batch(9)()
    const y = yield* Layer.forward(model, x)
    const got = QuantTensor.dequantized(y).dataSync()
    tf.dispose([x, ...Layer.tensorsIn(y)])
    return wanted.reduce((sum, value, i) => sum + (value - (got[i] as number)) ** 2, 0) / wanted.length
  })

const floatOf = (model: Layer.Layer) =>
  Effect.gen(function* () {
    const x = batch(9)()
    const y = yield* Layer.forward(model, x, Layer.without(Layer.evaluation))
    const got = Float32Array.from(QuantTensor.dequantized(y).dataSync())
    tf.dispose([x, ...Layer.tensorsIn(y)])
    return got
  })

describe("Ptq.inputs", () => {
  it("answers what a layer multiplies with its weight, in sequential and functional models", () =>
    run(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weightQuant: null })
        const add = Model.functional({ fc }, (layer, x: Layer.Value) => layer.fc(layer.fc(x)))
        const x = tf.tensor2d([[1, 2]])
        const once = yield* Ptq.inputs(Model.sequential({ fc }), x, "fc")
        const twice = yield* Ptq.inputs(add, x, "fc")
        const y = yield* Layer.forward(fc, x)
        expect(once.map((one) => [...one.dataSync()])).toEqual([[1, 2]])
        expect(twice.map((one) => [...one.dataSync()])).toEqual([[1, 2], [...QuantTensor.dequantized(y).dataSync()]])
        tf.dispose([x, ...once, ...twice, ...Layer.tensorsIn(y)])
        const error = yield* Effect.flip(Ptq.inputs(add, tf.zeros([1, 2]), "fcc"))
        expect(error).toMatchObject({ _tag: "UnknownLayer", layer: "fcc", nearest: "fc" })
      }).pipe((effect) =>
        Effect.sync(() => tf.engine().startScope()).pipe(
          Effect.andThen(effect),
          Effect.ensuring(Effect.sync(() => tf.engine().endScope()))
        )
      )
    ))
})

describe("Calibrate.calibrate", () => {
  it("learns the true average of the statistics of float values", () =>
    run(
      Effect.gen(function* () {
        const quant = pipe(
          ScaledInt.Int8ActPerTensorFloat,
          Injector.let({ scalingStatsOp: "max", collectStatsSteps: 2 })
        )
        const model = Model.sequential({ act: yield* Activation.quantIdentity({ actQuant: quant }) })
        const some = [
          [1, -2],
          [0.5, 4],
          [-3, 0]
        ].map((one) => () => tf.tensor2d([one]))
        const done = yield* Calibrate.calibrate(model, Stream.fromIterable(some))
        expect(done).toEqual({ batches: 3, quantizers: ["act.actQuant"] })
        const { "act.actQuant.scalingImpl.value": scale } = yield* State.parameters(model)
        expect(scale?.dataSync()[0]).toBeCloseTo(3, 6)
      })
    ))
  it("names a quantizer that gets NaN, wants batches, and changes nothing when it fails or is interrupted", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const before = yield* stateOf(model)
        const bad = Stream.make(batch(1), () => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(Calibrate.calibrate(model, bad))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "input.actQuant"
        })
        expect(yield* Effect.flip(Calibrate.calibrate(model, Stream.empty))).toMatchObject({
          _tag: "NoCalibrationData"
        })
        const endless = Stream.concat(Stream.make(batch(1)), Stream.fromEffect(Effect.never))
        const fiber = yield* Effect.forkChild(Calibrate.calibrate(model, endless))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        expect(yield* stateOf(model)).toBe(before)
        yield* Calibrate.calibrate(model, batches)
        expect(yield* stateOf(model)).not.toBe(before)
      })
    ))
})

const steps: ReadonlyArray<
  readonly [
    string,
    (model: Layer.Layer, x: Ptq.Batches) => Effect.Effect<{ readonly layers: ReadonlyArray<string> }, StepError>
  ]
> = [
  ["Gptq", (model, x) => Gptq.gptq(model, x)],
  ["Gpfq", (model, x) => Gpfq.gpfq(model, x)],
  ["Qronos", (model, x) => Qronos.qronos(model, x)]
]

describe.each(steps)("%s", (name, step) => {
  it("makes the quantized network nearer to the float one, the scales untouched", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const wanted = yield* floatOf(model)
        yield* Calibrate.calibrate(model, batches)
        const nearest = yield* errorOf(model, wanted)
        const scale = Effect.map(State.parameters(model), (state) => [
          ...(state["body.fc1.weightQuant.scalingImpl.value"] as tf.Tensor).dataSync()
        ])
        const before = yield* scale
        const done = yield* step(model, batches)
        expect(done).toEqual({ layers: ["body.fc1", "fc2"], skipped: [] })
        expect(yield* errorOf(model, wanted)).toBeLessThan(0.8 * nearest)
        expect(yield* scale).toEqual(before)
      })
    ))
  it("gives the same bits again", () =>
    run(
      Effect.gen(function* () {
        const [a, b] = [yield* network(), yield* network()]
        yield* step(a, batches)
        yield* step(b, batches)
        expect(yield* stateOf(a)).toBe(yield* stateOf(b))
      })
    ))
  it("changes nothing when it fails: no batches, NaN, a stream that breaks at the second layer, scales that follow", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const before = yield* stateOf(model)
        expect(yield* Effect.flip(step(model, Stream.empty))).toMatchObject({ _tag: "NoCalibrationData", step: name })
        const bad = Stream.make(() => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(step(model, bad))).toMatchObject({ _tag: "NonFiniteActivations", layer: "body.fc1" })
        const runs = { count: 0 }
        const breaking = Stream.suspend(() => (runs.count++ === 0 ? batches : Stream.empty))
        expect(yield* Effect.flip(step(model, breaking))).toMatchObject({ _tag: "NoCalibrationData" })
        expect(runs.count).toBe(2)
        expect(yield* stateOf(model)).toBe(before)
        const fc = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 2 })
        const error = yield* Effect.flip(step(Model.sequential({ fc }), batches))
        expect(error).toMatchObject({ _tag: "ScaleNotFixed", layer: "fc" })
        expect(error.message).toContain("parameterFromStats")
      })
    ))
})

describe("Gptq.gptq", () => {
  it("names the layer whose inputs depend on each other, when nothing is damped", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const same = Stream.make(() => tf.ones([4, 6]))
        const error = yield* Effect.flip(Gptq.gptq(model, same, { damping: 0 }))
        expect(error).toMatchObject({ _tag: "SingularHessian", layer: "body.fc1" })
      })
    ))
  it("rounds with any quantizer as with one of integers: minifloats column by column", () =>
    run(
      Effect.gen(function* () {
        const quant = Injector.let(Catalogue.entries.Fp8e4m3WeightPerChannelFloat as Injector.Any, {
          scalingImplType: "parameterFromStats"
        })
        const fc = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 4, weightQuant: quant as never })
        const model = Model.sequential({ fc })
        const before = yield* stateOf(model)
        yield* Gptq.gptq(model, batches)
        expect(yield* stateOf(model)).not.toBe(before)
        // what is stored differs from its own quantization only where the error was spread
        const y = yield* Weighted.quantWeight(fc)
        expect([...QuantTensor.dequantized(y).dataSync()].every(Number.isFinite)).toBe(true)
        tf.dispose([...QuantTensor.tensorsOf(y)])
      })
    ))
  it("works on convolutions in groups, and leaves layers alone that it does not know", () =>
    run(
      Effect.gen(function* () {
        const conv = yield* Convolution.quantConv2d({
          inChannels: 4,
          outChannels: 4,
          kernelSize: [3, 3],
          groups: 2,
          padding: "same",
          strides: [2, 2],
          weightQuant,
          weight: learned
        })
        const plain = yield* Convolution.quantConv2d({
          inChannels: 4,
          outChannels: 2,
          kernelSize: [1, 1],
          weightQuant: null
        })
        const model = Model.sequential({ conv, plain })
        const images = Stream.make(() => tf.tensor(Random.normal(Random.make(4), 6 * 49 * 4, 0, 1), [6, 7, 7, 4]))
        expect(yield* Gptq.gptq(model, images)).toEqual({ layers: ["conv"], skipped: ["plain"] })
      })
    ))
})

describe("BiasCorrection.correct", () => {
  it("takes back what quantization shifts the outputs by, and makes a bias where there is none", () =>
    run(
      Effect.gen(function* () {
        const weight = { bitWidth: 2, scalingImplType: "parameterFromStats" } as const
        const fc = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 3, weightQuant, weight, hasBias: false })
        const model = Model.sequential({ fc })
        const shifted = () => tf.add(batch(1)(), 1)
        const mean = (mode: Layer.Mode) =>
          Effect.gen(function* () {
            const x = tf.tidy(shifted)
            const y = yield* Layer.forward(model, x, mode)
            const all = tf.tidy(() => [...tf.mean(QuantTensor.dequantized(y), 0).dataSync()])
            tf.dispose([x, ...Layer.tensorsIn(y)])
            return all
          })
        const wanted = yield* mean(Layer.without(Layer.evaluation))
        const off = Effect.map(mean(Layer.evaluation), (got) =>
          Math.max(...got.map((value, i) => Math.abs(value - (wanted[i] as number))))
        )
        expect(yield* off).toBeGreaterThan(0.05)
        expect(yield* BiasCorrection.correct(model, Stream.make(shifted), { create: false })).toEqual({ layers: [] })
        const before = yield* stateOf(model)
        expect(yield* Effect.flip(BiasCorrection.correct(model, Stream.empty))).toMatchObject({
          _tag: "NoCalibrationData"
        })
        const bad = Stream.make(() => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(BiasCorrection.correct(model, bad))).toMatchObject({ layer: "fc" })
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* BiasCorrection.correct(model, Stream.make(shifted))).toEqual({ layers: ["fc"] })
        expect(yield* off).toBeLessThan(1e-5)
      })
    ))
})

describe("Magr.magr", () => {
  it("shrinks the largest magnitudes", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const largest = Effect.map(State.parameters(model), (state) =>
          Math.max(...(state["body.fc1.weight"] as tf.Tensor).dataSync().map(Math.abs))
        )
        const before = yield* largest
        yield* Magr.magr(model, batches, { alpha: 0.1 })
        expect(yield* largest).toBeLessThan(before)
      })
    ))
})

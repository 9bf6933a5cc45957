import * as tf from "@tensorflow/tfjs-core"
import { Effect, Fiber, pipe, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
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
import * as ShiftedScaledInt from "../../src/quant/ShiftedScaledInt.ts"
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
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        const calibrated = yield* Calibrate.calibrate(Stream.fromIterable(some), { report })(model)
        expect(events.map((event) => event._tag)).toEqual(["BatchSeen", "BatchSeen", "BatchSeen", "StepDone"])
        expect(events.at(-1)).toEqual({
          _tag: "StepDone",
          step: "Calibrate",
          layers: ["act.actQuant"],
          skipped: [],
          batches: 3
        })
        const { "act.actQuant.scalingImpl.value": scale } = yield* State.parameters(calibrated)
        expect(scale?.dataSync()[0]).toBeCloseTo(3, 6)
      })
    ))
  it("names a quantizer that gets NaN, wants batches, and changes nothing when it fails or is interrupted", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const before = yield* stateOf(model)
        const bad = Stream.make(batch(1), () => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(Calibrate.calibrate(bad)(model))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "input.actQuant"
        })
        expect(yield* Effect.flip(Calibrate.calibrate(Stream.empty)(model))).toMatchObject({
          _tag: "NoCalibrationData"
        })
        const endless = Stream.concat(Stream.make(batch(1)), Stream.fromEffect(Effect.never))
        const fiber = yield* Effect.forkChild(Calibrate.calibrate(endless)(model))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        expect(yield* stateOf(model)).toBe(before)
        const calibrated = yield* Calibrate.calibrate(batches)(model)
        expect(yield* stateOf(calibrated)).not.toBe(before)
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
  it("gives what joins several values a range that holds all of them, of whatever shapes", () =>
    run(
      Effect.gen(function* () {
        const quant = Injector.let(ScaledInt.Int8ActPerTensorFloat, { scalingStatsOp: "max" })
        const scalesOf = (factor: number) =>
          Effect.gen(function* () {
            const layers = {
              add: yield* Elementwise.quantEltwiseAdd({ inputQuant: quant, outputQuant: null }),
              cat: yield* Elementwise.quantCat({ inputQuant: quant, outputQuant: null })
            }
            const model = Model.functional(layers, (l, x: Layer.Value) => {
              const plain = QuantTensor.dequantized(x)
              const part = tf.mul(tf.slice(plain, [0, 0], [-1, 1]), factor)
              return l.cat([l.add([plain, tf.mul(plain, factor)]), part])
            })
            const some = [[[1, -2]], [[0.5, 4]]].map((one) => () => tf.tensor2d(one))
            const calibrated = yield* Calibrate.calibrate(Stream.fromIterable(some))(model)
            const state = yield* State.parameters(calibrated)
            return ["add", "cat"].map((name) => state[`${name}.inputQuant.scalingImpl.value`]?.dataSync()[0])
          })
        // the largest values of the batches: 20 and 40 for the addition, their sums 22 and 44 for the concatenation
        expect(yield* scalesOf(10)).toEqual([30, 33])
        // the smaller part does not matter
        expect(yield* scalesOf(0.5)).toEqual([3, 4.5])
      })
    ))
  it("takes the ends of a range from different parts of what is joined", () =>
    run(
      Effect.gen(function* () {
        const inputQuant = ShiftedScaledInt.ShiftedUint8ActPerTensorFloat
        const layers = { cat: yield* Elementwise.quantCat({ inputQuant, outputQuant: null }) }
        const model = Model.functional(layers, (l, x: Layer.Value) => {
          const plain = tf.abs(QuantTensor.dequantized(x))
          return l.cat([plain, tf.neg(plain)])
        })
        const calibrated = yield* Calibrate.calibrate(Stream.make(() => tf.tensor2d([[1, -2]])))(model)
        const x = tf.tensor2d([[1, -2]])
        const y = yield* Layer.forward(calibrated, x)
        // nothing is clipped: each value is itself to half a step
        const [got] = Layer.tensorsIn(y).map((one) => [...one.dataSync()])
        for (const [i, wanted] of [1, 2, -1, -2].entries())
          expect(Math.abs((got?.[i] ?? Number.NaN) - wanted)).toBeLessThanOrEqual(2 / 255 + 1e-6)
        tf.dispose([x, ...Layer.tensorsIn(y)])
      })
    ))
  it("goes on from what was observed and saved, and gives the same bits as in one go", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const whole = yield* stateOf(yield* Calibrate.calibrate(batches)(model))
        // the first batches, broken off and saved
        const some = yield* Stream.runCollect(Stream.take(Calibrate.observing(model, batches), 2))
        expect(some.map((observation) => observation.batches)).toEqual([1, 2])
        const from: Calibrate.Observation = JSON.parse(JSON.stringify(some[1]))
        const rest = yield* Calibrate.calibrate(Stream.make(batch(3)), { from })(model)
        expect(yield* stateOf(rest)).toBe(whole)
        const other = Model.sequential({ act: yield* Activation.quantIdentity() })
        expect(yield* Effect.flip(Calibrate.learned(from)(other))).toMatchObject({
          _tag: "UnknownLayer",
          layer: "input.actQuant"
        })
        expect(yield* Effect.flip(Calibrate.learned(Calibrate.nothing)(model))).toMatchObject({
          _tag: "NoCalibrationData"
        })
      })
    ))
  it("goes on with searches where the call before has ended, also from what was saved", () =>
    run(
      Effect.gen(function* () {
        const model = Model.sequential({
          act: yield* Activation.quantIdentity({ actQuant: ShiftedScaledInt.ShiftedUint8ActPerTensorFloatMSE })
        })
        const some = [0, 1, 2].map((seed) => () => tf.tensor1d(Random.normal(Random.make(seed), 20, 0, 1)))
        const scaleOf = (model: Ptq.Model) =>
          Effect.map(State.parameters(model), (all) => all["act.actQuant.scalingImpl.value"]?.dataSync()[0] as number)
        const whole = yield* scaleOf(yield* Calibrate.calibrate(Stream.fromIterable(some))(model))
        const seen = yield* Stream.runCollect(Calibrate.observing(model, Stream.fromIterable(some.slice(0, 2))))
        const from: Calibrate.Observation = JSON.parse(JSON.stringify(seen.at(-1)))
        const last = Stream.fromIterable(some.slice(2))
        expect(yield* scaleOf(yield* Calibrate.calibrate(last, { from })(model))).toBe(whole)
        // each batch alone
        const alone = yield* Effect.forEach(some, (one) =>
          Effect.flatMap(Calibrate.calibrate(Stream.make(one))(model), scaleOf)
        )
        expect(whole).not.toBeCloseTo(alone.reduce((a, b) => a + b, 0) / 3, 4)
      })
    ))
  it("asks for a batch only when the one before is done", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const log: Array<string> = []
        const made = Stream.mapEffect(Stream.range(1, 3), (i) =>
          Effect.sync(() => {
            log.push(`made ${i}`)
            return batch(i)
          })
        )
        yield* Calibrate.calibrate(made, {
          report: (event) =>
            Effect.sync(() => {
              if (event._tag === "BatchSeen") log.push(`seen ${event.batch}`)
            })
        })(model)
        expect(log).toEqual(["made 1", "seen 1", "made 2", "seen 2", "made 3", "seen 3"])
      })
    ))
})

const steps: ReadonlyArray<readonly [string, (x: Ptq.Batches, options?: Ptq.Reporting) => Ptq.Step<StepError>]> = [
  ["Gptq", Gptq.gptq],
  ["Gpfq", Gpfq.gpfq],
  ["Qronos", Qronos.qronos]
]

/** What a step says at its end. */
const doneBy = <E>(
  step: (options: Ptq.Reporting) => Ptq.Step<E>,
  model: Layer.Layer
): Effect.Effect<{ readonly next: Layer.Layer; readonly done: Ptq.StepDone }, E, Scope.Scope> =>
  Effect.gen(function* () {
    const events: Array<Ptq.Event> = []
    const next = yield* step({ report: (event) => Effect.sync(() => void events.push(event)) })(model)
    return { next, done: events.at(-1) as Ptq.StepDone }
  })

describe.each(steps)("%s", (name, step) => {
  it("makes the quantized network nearer to the float one, the scales untouched", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const wanted = yield* floatOf(model)
        const calibrated = yield* Calibrate.calibrate(batches)(model)
        const nearest = yield* errorOf(calibrated, wanted)
        const scaleOf = (one: Layer.Layer) =>
          Effect.map(State.parameters(one), (state) => [
            ...(state["body.fc1.weightQuant.scalingImpl.value"] as tf.Tensor).dataSync()
          ])
        const before = yield* stateOf(calibrated)
        const { next, done } = yield* doneBy((options) => step(batches, options), calibrated)
        expect(done).toMatchObject({ step: name, layers: ["body.fc1", "fc2"], skipped: [], batches: 6 })
        expect(yield* errorOf(next, wanted)).toBeLessThan(0.8 * nearest)
        expect(yield* scaleOf(next)).toEqual(yield* scaleOf(calibrated))
        expect(yield* stateOf(calibrated)).toBe(before)
      })
    ))
  it("gives the same bits again", () =>
    run(
      Effect.gen(function* () {
        const [a, b] = [yield* network(), yield* network()]
        const [c, d] = [yield* step(batches)(a), yield* step(batches)(b)]
        expect(yield* stateOf(c)).toBe(yield* stateOf(d))
        expect(yield* stateOf(c)).not.toBe(yield* stateOf(a))
      })
    ))
  it("changes nothing when it fails: no batches, NaN, a stream that breaks at the second layer, scales that follow", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const before = yield* stateOf(model)
        expect(yield* Effect.flip(step(Stream.empty)(model))).toMatchObject({ _tag: "NoCalibrationData", step: name })
        const bad = Stream.make(() => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(step(bad)(model))).toMatchObject({ _tag: "NonFiniteActivations", layer: "body.fc1" })
        const runs = { count: 0 }
        const breaking = Stream.suspend(() => (runs.count++ === 0 ? batches : Stream.empty))
        expect(yield* Effect.flip(step(breaking)(model))).toMatchObject({ _tag: "NoCalibrationData" })
        expect(runs.count).toBe(2)
        expect(yield* stateOf(model)).toBe(before)
        const fc = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 2 })
        const error = yield* Effect.flip(step(batches)(Model.sequential({ fc })))
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
        const error = yield* Effect.flip(Gptq.gptq(same, { damping: 0 })(model))
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
        const next = yield* Gptq.gptq(batches)(model)
        expect(yield* stateOf(next)).not.toBe(before)
        // what is stored differs from its own quantization only where the error was spread
        const y = yield* Weighted.quantWeight(next.layers.fc as Weighted.Weighted)
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
        const { done } = yield* doneBy((options) => Gptq.gptq(images, options), model)
        expect(done).toMatchObject({
          layers: ["conv"],
          skipped: [{ layer: "plain", reason: "it has no weight quantizer" }]
        })
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
        const mean = (one: Layer.Layer, mode: Layer.Mode) =>
          Effect.gen(function* () {
            const x = tf.tidy(shifted)
            const y = yield* Layer.forward(one, x, mode)
            const all = tf.tidy(() => [...tf.mean(QuantTensor.dequantized(y), 0).dataSync()])
            tf.dispose([x, ...Layer.tensorsIn(y)])
            return all
          })
        const wanted = yield* mean(model, Layer.without(Layer.evaluation))
        const off = (one: Layer.Layer) =>
          Effect.map(mean(one, Layer.evaluation), (got) =>
            Math.max(...got.map((value, i) => Math.abs(value - (wanted[i] as number))))
          )
        expect(yield* off(model)).toBeGreaterThan(0.05)
        const { done } = yield* doneBy(
          (options) => BiasCorrection.correct(Stream.make(shifted), { ...options, create: false }),
          model
        )
        expect(done).toMatchObject({ layers: [], skipped: [{ layer: "fc" }] })
        const before = yield* stateOf(model)
        expect(yield* Effect.flip(BiasCorrection.correct(Stream.empty)(model))).toMatchObject({
          _tag: "NoCalibrationData"
        })
        const bad = Stream.make(() => tf.fill([2, 6], Number.NaN))
        expect(yield* Effect.flip(BiasCorrection.correct(bad)(model))).toMatchObject({ layer: "fc" })
        expect(yield* stateOf(model)).toBe(before)
        const corrected = yield* BiasCorrection.correct(Stream.make(shifted))(model)
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* off(corrected)).toBeLessThan(1e-5)
      })
    ))
})

describe("Magr.magr", () => {
  it("shrinks the largest magnitudes", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const largest = (one: Layer.Layer) =>
          Effect.map(State.parameters(one), (state) =>
            Math.max(...(state["body.fc1.weight"] as tf.Tensor).dataSync().map(Math.abs))
          )
        const shrunk = yield* Magr.magr(batches, { alpha: 0.1 })(model)
        expect(yield* largest(shrunk)).toBeLessThan(yield* largest(model))
      })
    ))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect, Fiber, type Scope, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as RoundLearning from "../../src/ptq/RoundLearning.ts"
import * as RoundLearningMath from "../../src/ptq/RoundLearningMath.ts"
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

const weightQuant = ScaledInt.Int8WeightPerChannelFloat
const weight = { bitWidth: 3, scalingImplType: "parameterFromStats" } as const

const network = Effect.gen(function* () {
  const input = yield* Activation.quantIdentity()
  const fc1 = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 12, seed: 1, weightQuant, weight })
  const relu = yield* Activation.quantReLU()
  const fc2 = yield* Linear.quantLinear({ inFeatures: 12, outFeatures: 3, seed: 2, weightQuant, weight })
  return yield* Calibrate.calibrate(batches)(Model.sequential({ input, body: Model.sequential({ fc1, relu }), fc2 }))
})

/** Inputs of which some go together. */
const inputs = (seed: number): tf.Tensor => {
  const x = Random.normal(Random.make(seed), 64 * 8, 0, 1)
  return tf.tensor2d(
    x.map((value, i) => (i % 8 === 0 ? value : 0.5 * value + (x[i - (i % 8)] as number))),
    [64, 8]
  )
}
const batches = Stream.make(
  () => inputs(1),
  () => inputs(2)
)

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

/** Mean squared difference to the float network on the inputs that were learned of. */
const errorOf = (model: Ptq.Model, float: Ptq.Model) =>
  Effect.gen(function* () {
    const x = inputs(1)
    const [y, wanted] = [
      yield* Layer.forward(model, x),
      yield* Layer.forward(float, x, Layer.without(Layer.evaluation))
    ]
    const values = [y, wanted].map((one) => Array.from(QuantTensor.dequantized(one as Layer.Value).dataSync()))
    tf.dispose([x, ...Layer.tensorsIn(y), ...Layer.tensorsIn(wanted)])
    const [a, b] = values as [Array<number>, Array<number>]
    return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length
  })

type Learn = (batches: Ptq.Batches, options: RoundLearning.Options) => Ptq.Step<RoundLearning.LearnError>
const ways: ReadonlyArray<readonly [string, Learn, RoundLearning.Options]> = [
  ["AdaRound", RoundLearning.adaRound, { iterations: 60, optimizer: Optimizer.adam(0.1) }],
  ["AutoRound", RoundLearning.autoRound, { iterations: 40 }]
]

describe("losses", () => {
  it("the exponent falls from the end of the warm-up on", () => {
    const at = (iteration: number) =>
      RoundLearningMath.exponentAt(iteration, 100, { exponents: [20, 2], warmup: 0.2, decayStart: 0.5 })
    expect([at(1), at(59), at(60), at(80), at(100)].map((b) => Math.round(b))).toEqual([20, 20, 20, 11, 2])
    expect(RoundLearningMath.exponentAt(5, 5, { warmup: 1 })).toBe(2)
  })
  it("roundings that have decided cost nothing", () =>
    run(
      Effect.sync(() => {
        tf.tidy(() => {
          expect(RoundLearningMath.undecided(tf.tensor1d([0, 1, 1]), 20).dataSync()[0]).toBeCloseTo(0, 6)
          expect(RoundLearningMath.undecided(tf.tensor1d([0.5, 0.25]), 2).dataSync()[0]).toBeCloseTo(1 + 0.75, 6)
        })
      })
    ))
  it("samples are drawn without repetition, the same ones again", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60 }), fc.nat(), (n, size, seed) => {
        const some = RoundLearningMath.sample(Random.make(seed), n, size)
        expect(new Set(some).size).toBe(Math.min(n, size))
        expect(some).toEqual(RoundLearningMath.sample(Random.make(seed), n, size))
        for (const i of some) expect(i >= 0 && i < n).toBe(true)
      })
    ))
})

describe.each(ways)("%s", (step, learn, options) => {
  it("makes the outputs nearer to those of the float network, the scales untouched, and the model as it was", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = yield* stateOf(model)
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        const learned = yield* learn(batches, { ...options, report })(model)
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* errorOf(learned, model)).toBeLessThan(0.8 * (yield* errorOf(model, model)))
        const scale = "body.fc1.weightQuant.scalingImpl.value"
        const scales = [yield* State.parameters(model), yield* State.parameters(learned)].map((all) => all[scale])
        expect(scales[1]?.dataSync()).toEqual(scales[0]?.dataSync())
        expect(events.filter((event) => event._tag === "Iterated").length).toBe(2 * (options.iterations as number))
        expect(events.at(-1)).toEqual({
          _tag: "StepDone",
          step,
          layers: ["body.fc1", "fc2"],
          skipped: [],
          batches: 4
        })
      })
    ))

  it("rounds each weight up or down", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const [before, after] = [model, yield* learn(batches, options)(model)].map(
          (one) => (one.layers.body as Model.Composed).layers.fc1 as Weighted.Weighted
        ) as [Weighted.Weighted, Weighted.Weighted]
        const numbers = (of: Weighted.Weighted): ReadonlyArray<number> =>
          Array.from((Layer.stateOf(Layer.read(of), of.own).parameters.weight as tf.Tensor).dataSync())
        const float = numbers(before)
        const quantized = yield* Weighted.quantWeight(after)
        const [scale, value] = [quantized.scale.dataSync(), quantized.value.dataSync()]
        float.forEach((w, i) => {
          expect(Math.abs(w - (value[i] as number))).toBeLessThan((scale[i % 12] as number) * 1.0001)
        })
        // what is stored is what its quantization gives
        expect(numbers(after).every((w, i) => w === value[i])).toBe(true)
        QuantTensor.dispose(quantized)
      })
    ))

  it("gives the same bits again, others for another seed, and takes blocks", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const small = { ...options, batchSize: 16, keep: "quantizers" } as const
        const once = yield* stateOf(yield* learn(batches, small)(model))
        expect(yield* stateOf(yield* learn(batches, small)(model))).toBe(once)
        expect(yield* stateOf(yield* learn(batches, { ...small, seed: 1 })(model))).not.toBe(once)
        const nearest = yield* errorOf(model, model)
        for (const blocks of ["children", [""], ["body", "fc2"]] as const)
          expect(yield* errorOf(yield* learn(batches, { ...options, blocks })(model), model)).toBeLessThan(nearest)
        const partly: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void partly.push(event))
        yield* learn(batches, { ...options, blocks: ["fc2"], report })(model)
        expect(partly.at(-1)).toMatchObject({
          layers: ["fc2"],
          skipped: [{ layer: "body.fc1", reason: "it is in no block that learns" }]
        })
      })
    ))

  it("keeps quantizers that round so, as well", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const folded = yield* learn(batches, options)(model)
        const living = yield* learn(batches, { ...options, keep: "quantizers" })(model)
        const error = yield* errorOf(folded, model)
        expect(Math.abs((yield* errorOf(living, model)) / error - 1)).toBeLessThan(1e-4)
        const weightOf = (of: Layer.Stateful) =>
          Effect.map(State.parameters(of), (all) => all["fc2.weight"]?.dataSync())
        expect(yield* weightOf(living)).toEqual(yield* weightOf(model))
      })
    ))

  it("learns scales, too", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const scales = Optimizer.adam(1e-3)
        const stay = yield* learn(batches, options)(model)
        const learned = yield* learn(batches, { ...options, scales })(model)
        const scale = "fc2.weightQuant.scalingImpl.value"
        const [before, after] = [yield* State.parameters(model), yield* State.parameters(learned)]
        expect(after[scale]?.dataSync()).not.toEqual(before[scale]?.dataSync())
        expect(yield* errorOf(learned, model)).toBeLessThan(1.2 * (yield* errorOf(stay, model)))
      })
    ))

  it("fails with names and repairs, and leaves nothing behind when it fails or is interrupted", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = yield* stateOf(model)
        const failure = (x: Ptq.Batches, more: RoundLearning.Options = {}) =>
          Effect.flip(learn(x, { ...options, ...more })(model))
        expect(yield* failure(Stream.empty)).toMatchObject({ _tag: "NoCalibrationData", step })
        const bad = Stream.make(() => tf.fill([2, 8], Number.NaN))
        expect(yield* failure(bad)).toMatchObject({ _tag: "NonFiniteActivations", layer: "body.fc1" })
        expect(yield* failure(batches, { blocks: ["fc3"] })).toMatchObject({ _tag: "UnknownLayer", nearest: "fc2" })
        const nan: RoundLearningMath.Loss = ({ output }) => tf.mul(tf.sum(output), Number.NaN)
        const diverged = yield* failure(batches, { loss: nan })
        expect(diverged).toMatchObject({ _tag: "LearningDiverged", layer: "body.fc1", iteration: 1 })
        expect(diverged.message).toContain("lower the learning rate")
        expect(yield* failure(batches, { optimizer: Optimizer.sgd(-1) })).toMatchObject({ _tag: "InvalidOptions" })
        const moving = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 2 })
        expect(yield* Effect.flip(learn(batches, options)(moving))).toMatchObject({ _tag: "ScaleNotFixed" })
        const report = (event: Ptq.Event) =>
          event._tag === "Iterated" && event.layer === "fc2" && event.iteration === 3 ? Effect.never : Effect.void
        const fiber = yield* Effect.forkChild(Effect.scoped(learn(batches, { ...options, report })(model)))
        yield* Effect.sleep("300 millis")
        yield* Fiber.interrupt(fiber)
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
})

describe("other quantizers", () => {
  it("of groups learn as well; shared ones and minifloats are left as they are", () =>
    run(
      Effect.gen(function* () {
        const fixed = { scalingImplType: "parameterFromStats" } as const
        const grouped = yield* Linear.quantLinear({
          inFeatures: 8,
          outFeatures: 4,
          weightQuant: Catalogue.entries.MXInt8Weight as never,
          weight: { groupSize: 4 } as never
        })
        const float = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 4,
          weightQuant: Catalogue.entries.Fp8e4m3WeightPerTensorFloat as never,
          weight: fixed as never
        })
        const one = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 4, weightQuant, weight })
        const two = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 4,
          weightQuant: one.weightQuant as never,
          seed: 3
        })
        const model = Model.sequential({ grouped, float, one, two })
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        yield* RoundLearning.autoRound(batches, { iterations: 5, keep: "quantizers", report })(model)
        expect(events.at(-1)).toMatchObject({
          layers: ["grouped"],
          skipped: [
            { layer: "float", reason: "its weights have no integers" },
            { layer: "one", reason: "it shares its weight quantizer with another layer" },
            { layer: "two" }
          ]
        })
      })
    ))
})

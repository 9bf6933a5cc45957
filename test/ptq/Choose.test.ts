/** Sensitivity of layers, and mixed precision within budgets. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Allocate from "../../src/ptq/Allocate.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import * as ChooseMath from "../../src/ptq/ChooseMath.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import * as MixedPrecision from "../../src/ptq/MixedPrecision.ts"
import * as Noise from "../../src/ptq/Noise.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"
import * as Sensitivity from "../../src/ptq/Sensitivity.ts"
import * as Structure from "../../src/ptq/Structure.ts"
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

const network = (bits: number) =>
  Effect.gen(function* () {
    const quantized = (bitWidth: number) => ({
      weightQuant: ScaledInt.Int8WeightPerChannelFloat,
      weight: { bitWidth, scalingImplType: "parameterFromStats" as const },
      biasQuant: ScaledInt.Int32Bias
    })
    const conv = yield* Convolution.quantConv2d({
      inChannels: 2,
      outChannels: 4,
      kernelSize: [3, 3],
      seed: 1,
      ...quantized(8)
    })
    const model = Model.sequential({
      input: yield* Activation.quantIdentity({ returnQuantTensor: true }),
      body: Model.sequential({ conv, relu: yield* Activation.quantReLU({ returnQuantTensor: true }) }),
      flat: Model.flatten,
      fc: yield* Linear.quantLinear({ inFeatures: 64, outFeatures: 3, seed: 2, ...quantized(bits) })
    })
    return yield* Calibrate.calibrate(batches)(model)
  })

const batches: Ptq.Batches = Stream.make(
  ...[1, 2].map((seed) => () => tf.tensor4d(Random.normal(Random.make(seed), 8 * 6 * 6 * 2, 0, 1), [8, 6, 6, 2]))
)

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

describe("noise", () => {
  it("is told in decibels", () => {
    expect(Noise.decibels({ signal: 100, noise: 1 })).toBeCloseTo(20, 12)
    expect(Noise.shown({ signal: 1, noise: 0 })).toBe("∞")
    expect(Noise.shown(Noise.none)).toBe("–")
  })
  it("adds up over answers", () =>
    run(
      Effect.sync(() => {
        tf.tidy(() => {
          const added = Noise.added({ signal: 1, noise: 1 }, tf.tensor1d([3, 4]), tf.tensor1d([3, 2]))
          expect(added).toEqual({ signal: 26, noise: 5 })
        })
      })
    ))
})

describe("Sensitivity.measure", () => {
  it("finds the layer of few bits, and leaves the model as it is", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(2)
        const before = yield* stateOf(model)
        const measured = yield* Sensitivity.measure(model, batches)
        expect(measured.batches).toBe(2)
        expect(measured.rows.map(({ layer }) => layer)).toEqual(["input", "body.conv", "body.relu", "fc"])
        const [worst] = Sensitivity.cells(measured)
        expect(worst?.[0]).toBe("fc")
        const at = (name: string) => measured.rows.find(({ layer }) => layer === name) as Sensitivity.Row
        // the last layer's output is the network's
        expect(at("fc").own).toEqual(at("fc").network)
        expect(at("fc").joint).toEqual(measured.network)
        expect(at("body.conv").weights).toBe(2 * 4 * 9 + 4)
        for (const { own, network: all, joint } of measured.rows)
          for (const one of [own, all, joint]) expect(Noise.decibels(one)).toBeGreaterThan(0)
        expect(Noise.decibels(at("body.conv").network)).toBeGreaterThan(Noise.decibels(at("fc").network) + 20)
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
  it("measures the very ratios that runs of the model give", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(4)
        const measured = yield* Sensitivity.measure(model, Stream.take(batches, 1))
        const x = tf.tensor4d(Random.normal(Random.make(1), 8 * 6 * 6 * 2, 0, 1), [8, 6, 6, 2])
        const [y, wanted] = [
          yield* Layer.forward(model, x),
          yield* Layer.forward(model, x, Layer.without(Layer.evaluation))
        ]
        const [got, float] = [y, wanted].map((one) => [...(Noise.valuesOf(one)[0] as tf.Tensor).dataSync()])
        const noise = (float ?? []).reduce((sum, value, i) => sum + (value - (got?.[i] ?? 0)) ** 2, 0)
        expect(measured.network.noise / noise).toBeCloseTo(1, 4)
        tf.dispose([x, ...Layer.tensorsIn(y), ...Layer.tensorsIn(wanted)])
      })
    ))
  it("compares weights that were rounded with those from before", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(3)
        const rounded = yield* Gptq.gptq(batches)(model)
        const of = (measured: Sensitivity.Sensitivity) =>
          Noise.decibels((measured.rows.find(({ layer }) => layer === "fc") as Sensitivity.Row).own)
        expect(of(yield* Sensitivity.measure(rounded, batches))).toBe(Number.POSITIVE_INFINITY)
        const [nearest, gptq] = [
          of(yield* Sensitivity.measure(model, batches)),
          of(yield* Sensitivity.measure(rounded, batches, { float: model }))
        ]
        expect(nearest).toBeGreaterThan(5)
        expect(gptq).toBeGreaterThan(nearest)
        expect(gptq).toBeLessThan(nearest + 15)
        const other = Model.sequential({ input: yield* Activation.quantIdentity() })
        expect(yield* Effect.flip(Sensitivity.measure(model, batches, { float: other }))).toMatchObject({
          _tag: "UnknownLayer",
          layer: "body.conv"
        })
      })
    ))
  it("wants batches, and names the layer that gets NaN", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(4)
        expect(yield* Effect.flip(Sensitivity.measure(model, Stream.empty))).toMatchObject({
          _tag: "NoCalibrationData",
          step: "Sensitivity"
        })
        const bad = Stream.make(() => tf.fill([1, 6, 6, 2], Number.NaN))
        expect(yield* Effect.flip(Sensitivity.measure(model, bad))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "input"
        })
      })
    ))
})

describe("a choice", () => {
  const options = fc.array(
    fc.array(fc.record({ cost: fc.integer({ min: 1, max: 9 }), loss: fc.integer({ min: 0, max: 20 }) }), {
      minLength: 1,
      maxLength: 4
    }),
    { minLength: 1, maxLength: 5 }
  )
  const every = (items: ChooseMath.Items): ReadonlyArray<ChooseMath.Choice> =>
    items.reduce<ReadonlyArray<ChooseMath.Choice>>(
      (all, one) => all.flatMap((choice) => one.map((_, i) => [...choice, i])),
      [[]]
    )
  it("is the best there is where it is exact, and fits in any case", () =>
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 40 }), (items, budget) => {
        const fitting = every(items)
          .map((choice) => ChooseMath.total(items, choice))
          .filter(({ cost }) => cost <= budget)
        const [exact, greedy] = [ChooseMath.exact(items, budget), ChooseMath.greedy(items, budget)]
        if (fitting.length === 0) return exact === undefined && greedy === undefined
        const best = Math.min(...fitting.map(({ loss }) => loss))
        const [a, b] = [exact, greedy].map((choice) => ChooseMath.total(items, choice as ChooseMath.Choice))
        return a?.loss === best && a.cost <= budget && (b?.cost ?? 99) <= budget && (b?.loss ?? -1) >= best
      }),
      { seed: 1, numRuns: 300 }
    ))
})

describe("MixedPrecision", () => {
  const of = (bitWidth: number): MixedPrecision.Candidate => ({
    quantizer: "Int8WeightPerChannelFloat",
    options: { bitWidth, scalingImplType: "parameterFromStats" }
  })
  it("gives the bits to the layers that need them, within the budget, as a recipe that can be followed", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(8)
        const before = yield* stateOf(model)
        const measured = yield* MixedPrecision.measure(model, batches, [of(2), of(4), of(8)])
        expect(measured.rows.map(({ layer, weights, products }) => [layer, weights, products])).toEqual([
          ["body.conv", 72, 72 * 16],
          ["fc", 192, 192]
        ])
        expect(measured.rows[0]?.measured.map(({ bits }) => bits)).toEqual([2, 4, 8])
        const noises = measured.rows.map((row) => row.measured.map(({ noise }) => noise.noise))
        for (const row of noises) expect(row).toEqual(row.toSorted((a, b) => b - a))
        const most = 4 * (72 + 192)
        const chosen = yield* MixedPrecision.choose(measured, { of: "size", most })
        expect(chosen.cost).toBeLessThanOrEqual(most)
        const greedy = yield* MixedPrecision.choose(measured, { of: "size", most }, "greedy")
        expect(greedy.noise).toBeGreaterThanOrEqual(chosen.noise)
        const operations = yield* MixedPrecision.choose(measured, { of: "operations", most: 2 * 72 * 16 + 8 * 192 })
        expect(operations.layers.map(({ bits }) => bits)).toEqual([2, 8])
        const recipe = { name: "mixed", quantizers: MixedPrecision.quantizers(chosen), steps: [] }
        yield* Recipe.run(yield* Recipe.fromJson(recipe), batches)(model)
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
  it("says what the cheapest choice costs, and which candidate is wrong", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network(8)
        const measured = yield* MixedPrecision.measure(model, batches, [of(4)])
        const error = yield* Effect.flip(MixedPrecision.choose(measured, { of: "size", most: 10 }))
        expect(error.message).toContain(`${4 * (72 + 192)}`)
        const wrong = yield* Effect.flip(MixedPrecision.measure(model, batches, [{ quantizer: "Int8Weight" }]))
        expect(wrong).toMatchObject({ _tag: "InvalidRecipe", place: "candidates[0].quantizer" })
        expect(yield* Effect.flip(MixedPrecision.measure(model, batches, []))).toMatchObject({ option: "candidates" })
      })
    ))
})

describe("Allocate.allocate", () => {
  const of = (bitWidth: number): MixedPrecision.Candidate => ({
    quantizer: "Int8WeightPerChannelFloat",
    options: { bitWidth, scalingImplType: "parameterFromStats" }
  })
  const candidates = [of(4), of(8)]
  const mixed = (budget: MixedPrecision.Budget) =>
    Effect.gen(function* () {
      const events: Array<Ptq.Event> = []
      const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
      const model = yield* Calibrate.calibrate(batches)(yield* network(8))
      const next = yield* Allocate.allocate(batches, { candidates, budget, report })(model)
      return { model, next, done: events.at(-1) as Ptq.StepDone }
    })
  const quantizersOf = ({ changes = [] }: Ptq.StepDone) =>
    Object.values(Structure.quantizersIn(changes)).map(({ options }) => options?.bitWidth)
  it("loses less than the fewest bits everywhere at a size in between, and tells its choice as a change of structure", () =>
    run(
      Effect.gen(function* () {
        const { model, next, done } = yield* mixed({ of: "size", mean: 6 })
        const before = yield* stateOf(model)
        expect(done).toMatchObject({ step: "Allocate", layers: ["body.conv", "fc"], skipped: [] })
        expect(quantizersOf(done)).toEqual([8, 4])
        expect(Object.keys(Structure.quantizersIn(done.changes ?? []))).toEqual([
          "body.conv.weightQuant",
          "fc.weightQuant"
        ])
        const lost = (one: Layer.Layer) => Effect.map(Noise.between(model, one, batches), Noise.decibels)
        const fewest = yield* mixed({ of: "size", mean: 4 })
        expect(quantizersOf(fewest.done)).toEqual([4, 4])
        expect(yield* lost(next)).toBeGreaterThan(1 + (yield* lost(fewest.next)))
        expect(quantizersOf((yield* mixed({ of: "size", most: 8 * (72 + 192) })).done)).toEqual([8, 8])
        expect(yield* stateOf(model)).toBe(before)
      })
    ))
  it("counts products where the budget is of operations, and says what the cheapest choice costs", () =>
    run(
      Effect.gen(function* () {
        // the convolution has 72 weights and 1152 products: one bit less for each of them pays for the other layer
        expect(quantizersOf((yield* mixed({ of: "operations", mean: 5 })).done)).toEqual([4, 8])
        const error = yield* Effect.flip(mixed({ of: "operations", mean: 3 }))
        expect(error).toMatchObject({ _tag: "InvalidOptions", option: "budget" })
        expect(error.message).toContain(`${4 * (72 * 16 + 192)}`)
      })
    ))
})

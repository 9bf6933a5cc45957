/** Statistics of float networks, and batch normalizations measured anew. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import * as TensorNorm from "../../src/nn/TensorNorm.ts"
import * as FloatStatistics from "../../src/ptq/FloatStatistics.ts"
import * as NormCorrection from "../../src/ptq/NormCorrection.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Stored from "../../src/tensor/Stored.ts"

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

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

describe("counts", () => {
  const values = Random.normal(Random.make(5), 20_000, 0.5, 2)
  const all = FloatStatistics.counted(FloatStatistics.none, values)
  it("know ends, mean and deviation exactly, percentiles to eight bits", () => {
    const sorted = [...values].sort((a, b) => a - b)
    expect([all.min, all.max]).toEqual([sorted[0], sorted.at(-1)])
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    expect(FloatStatistics.mean(all)).toBeCloseTo(mean, 10)
    expect(FloatStatistics.deviation(all)).toBeCloseTo(2, 1)
    for (const percent of [0.1, 1, 25, 50, 75, 99, 99.9]) {
      const exact = sorted[Math.ceil((percent / 100) * sorted.length) - 1] as number
      expect(Math.abs(FloatStatistics.percentile(all, percent) / exact - 1)).toBeLessThan(2 ** -8)
    }
    expect(FloatStatistics.percentile(all, 100)).toBeLessThanOrEqual(all.max)
  })
  it("add up over batches and as JSON, and find outliers", () => {
    const first = FloatStatistics.counted(FloatStatistics.none, values.subarray(0, 7000))
    const both = FloatStatistics.counted(JSON.parse(JSON.stringify(first)), values.subarray(7000))
    expect(both.keys).toEqual(all.keys)
    expect(FloatStatistics.outliers(all)).toBe(0)
    const far = FloatStatistics.counted(all, Float32Array.of(100, -100))
    expect(FloatStatistics.outliers(far)).toBe(2 / 20_002)
  })
})

describe("FloatStatistics.measure", () => {
  it("counts weights and outputs by layer, and changes nothing", () =>
    run(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 2 })
        const model = Model.sequential({ body: Model.sequential({ fc }), relu: Model.relu })
        const before = yield* stateOf(model)
        const batches: Ptq.Batches = Stream.make(
          () => tf.tensor2d([[1, 2, 3]]),
          () => tf.tensor2d([[-4, 5, 6]])
        )
        const measured = yield* FloatStatistics.measure(model, batches)
        expect(measured.rows.map(({ layer, of, counted }) => [layer, of, counted.count])).toEqual([
          ["body.fc", "weight", 6],
          ["body.fc", "output", 4],
          ["relu", "output", 4]
        ])
        expect(measured.rows[2]?.counted.min).toBeGreaterThanOrEqual(0)
        expect(FloatStatistics.cells(measured)).toHaveLength(3)
        expect(FloatStatistics.cells(measured)[0]).toHaveLength(FloatStatistics.headers.length)
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* Effect.flip(FloatStatistics.measure(model, Stream.empty))).toMatchObject({
          _tag: "NoCalibrationData"
        })
        const bad = Stream.make(() => tf.fill([1, 3], Number.POSITIVE_INFINITY))
        expect(yield* Effect.flip(FloatStatistics.measure(model, bad))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "body.fc"
        })
      })
    ))
})

describe("NormCorrection.reestimate", () => {
  const rows = [
    [1, 10],
    [3, 30],
    [8, 80]
  ]
  const batches: Ptq.Batches = Stream.make(
    () => tf.tensor2d(rows.slice(0, 2)),
    () => tf.tensor2d(rows.slice(1, 3))
  )
  const numbers = (model: Layer.Stateful, name: string) =>
    Effect.map(State.extract(model), (state) => [...Stored.floats(state[name] as Stored.Stored)])
  it("takes the averages of the batches for the running statistics", () =>
    run(
      Effect.gen(function* () {
        const model = Model.sequential({ norm: yield* Normalization.batchNorm({ channels: 2 }) })
        const before = yield* stateOf(model)
        const next = yield* NormCorrection.reestimate(batches)(model)
        // means 2 and 5.5, unbiased variances 2 and 12.5
        expect(yield* numbers(next, "norm.runningMean")).toEqual([3.75, 37.5])
        expect(yield* numbers(next, "norm.runningVar")).toEqual([7.25, 725])
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* Effect.flip(NormCorrection.reestimate(Stream.empty)(model))).toMatchObject({
          _tag: "NoCalibrationData",
          step: "BatchNormReestimation"
        })
        const bad = Stream.make(() => tf.fill([2, 2], Number.NaN))
        expect(yield* Effect.flip(NormCorrection.reestimate(bad)(model))).toMatchObject({ layer: "norm" })
      })
    ))
  it("takes all values together where a normalization does", () =>
    run(
      Effect.gen(function* () {
        const model = Model.sequential({ norm: yield* TensorNorm.tensorNorm() })
        const one = Stream.make(() => tf.tensor2d([[1, 3]]))
        const next = yield* NormCorrection.reestimate(one)(model)
        expect(yield* numbers(next, "norm.runningMean")).toEqual([2])
        expect(yield* numbers(next, "norm.runningVar")).toEqual([2])
      })
    ))
})

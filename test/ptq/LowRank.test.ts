import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import * as LowRank from "../../src/ptq/LowRank.ts"
import * as LowRankMath from "../../src/ptq/LowRankMath.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Svd from "../../src/ptq/Svd.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"

const drawn = (rows: number, columns: number, seed: number): Matrix.Matrix =>
  Matrix.make(rows, columns, Random.normal(Random.make(seed), rows * columns, 0, 1))

/** A matrix with singular values that fall by a factor. */
const falling = (rows: number, columns: number, factor: number, seed: number): Matrix.Matrix => {
  const { left, right } = Svd.full(drawn(rows, columns, seed))
  const scaled = {
    ...left,
    data: left.data.map((value, i) => value * factor ** Math.floor(i / left.columns))
  }
  return Matrix.product(Matrix.transpose(scaled), right)
}

const composed = ({ left, values, right }: Svd.Svd): Matrix.Matrix => {
  const scaled = {
    ...right,
    data: right.data.map((value, i) => value * (values[Math.floor(i / right.columns)] as number))
  }
  return Matrix.product(Matrix.transpose(left), scaled)
}

const off = (a: Matrix.Matrix, b: Matrix.Matrix): number => {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns])
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (b.data[i] as number))), 0)
}

const norm = ({ data }: Matrix.Matrix): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0))

describe("Svd", () => {
  it("gives the matrix back, by orthonormal vectors and falling values", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 999 }),
        (m, n, seed) => {
          const a = drawn(m, n, seed)
          const all = Svd.full(a)
          expect(off(composed(all), a)).toBeLessThan(1e-10)
          for (const vectors of [all.left, all.right]) {
            const gram = Matrix.product(vectors, Matrix.transpose(vectors))
            expect(off(gram, Matrix.damped(Matrix.zeros(Math.min(m, n), Math.min(m, n)), 1))).toBeLessThan(1e-10)
          }
          all.values.forEach((value, i) => {
            expect(value).toBeLessThanOrEqual(all.values[i - 1] ?? Number.POSITIVE_INFINITY)
          })
        }
      ),
      { numRuns: 40 }
    ))

  it("of matrices without full rank, and of zeros", () => {
    const low = Matrix.product(drawn(9, 2, 1), drawn(2, 7, 2))
    const { values } = Svd.full(low)
    expect(values[1]).toBeGreaterThan(0.1)
    for (const value of values.subarray(2)) expect(value).toBeLessThan(1e-9)
    expect(off(composed(Svd.full(low)), low)).toBeLessThan(1e-10)
    expect(off(composed(Svd.full(Matrix.zeros(4, 3))), Matrix.zeros(4, 3))).toBe(0)
  })

  it("finds the largest of a large matrix by a random subspace, the same bits for the same seed", () => {
    const a = falling(90, 120, 0.8, 5)
    const [some, all] = [Svd.largest(a, 6), Svd.full(a)]
    some.values.forEach((value, i) => {
      expect(Math.abs(value / (all.values[i] as number) - 1)).toBeLessThan(1e-6)
    })
    const rest = Matrix.zeros(90, 120)
    rest.data.set(a.data.map((value, i) => value - (composed(some).data[i] as number)))
    // no matrix of this rank is nearer than the singular values left out
    const best = Math.sqrt(all.values.subarray(6).reduce((sum, value) => sum + value * value, 0))
    expect(norm(rest)).toBeLessThan(1.0001 * best)
    expect(Svd.largest(a, 6)).toEqual(some)
  })
})

describe("LowRankMath", () => {
  it("what remains and the branch are the matrix", () => {
    const a = drawn(10, 6, 3)
    const branch = LowRankMath.branchOf(a, 2)
    const sum = Matrix.product(branch.down, branch.up)
    const rest = LowRankMath.restOf(a, branch)
    expect(off({ ...sum, data: sum.data.map((value, i) => value + (rest.data[i] as number)) }, a)).toBeLessThan(1e-12)
    expect(LowRankMath.relativeNorm(LowRankMath.restOf(a, LowRankMath.branchOf(a, 6)), a)).toBeLessThan(1e-12)
  })
})

// ---- over models --------------------------------------------------------------------------------------------

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

const weight = { bitWidth: 4, scalingImplType: "parameterFromStats" } as const
const weightQuant = ScaledInt.Int8WeightPerTensorFloat

/** A layer with a few large rows, which a branch can take. */
const network = Effect.gen(function* () {
  const fc1 = yield* Linear.quantLinear({ inFeatures: 20, outFeatures: 16, seed: 1, weightQuant, weight })
  const data = Random.normal(Random.make(3), 20 * 16, 0, 0.1).map((value, i) => (i < 32 ? 10 * value : value))
  const weights = tf.tensor2d(data, [20, 16])
  yield* State.load(fc1, { weight: weights }, "report")
  weights.dispose()
  const fc2 = yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 4, seed: 2, weightQuant, weight })
  return Model.sequential({ body: Model.sequential({ fc1, relu: Model.relu }), fc2 })
})
/** Inputs that go together in fours. */
const batch = (): tf.Tensor => {
  const x = Random.normal(Random.make(7), 64 * 20, 0, 1)
  return tf.tensor2d(
    x.map((value, i) => (i % 4 === 0 ? value : (x[i - (i % 4)] as number) + 0.3 * value)),
    [64, 20]
  )
}

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

const errorOf = (model: Ptq.Model, float: Ptq.Model) =>
  Effect.gen(function* () {
    const x = batch()
    const y = yield* Layer.forward(model, x)
    const wanted = yield* Layer.forward(float, x, Layer.without(Layer.evaluation))
    const [a, b] = [y, wanted].map((one) => Array.from(QuantTensor.dequantized(one as Layer.Value).dataSync())) as [
      Array<number>,
      Array<number>
    ]
    tf.dispose([x, ...Layer.tensorsIn(y), ...Layer.tensorsIn(wanted)])
    return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length
  })

describe("LowRank.correct", () => {
  it("brings the outputs nearer to those of the float network, the more the wider the branch; the model stays", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const nearest = yield* errorOf(model, model)
        const before = yield* stateOf(model)
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        const two = yield* LowRank.correct({ rank: 2, report })(model)
        expect((yield* stateOf(model)) === before).toBe(true)
        expect(yield* errorOf(two, model)).toBeLessThan(0.3 * nearest)
        const four = yield* LowRank.correct({ rank: 4 })(model)
        expect(yield* errorOf(four, model)).toBeLessThan(0.8 * (yield* errorOf(two, model)))
        const one = Model.sequential({
          fc: yield* Linear.quantLinear({ inFeatures: 20, outFeatures: 3, weightQuant, weight })
        })
        // a branch of the whole rank leaves nothing to quantize
        expect(yield* errorOf(yield* LowRank.correct({ rank: 3 })(one), one)).toBeLessThan(1e-9)
        const many = yield* LowRank.correct({ rank: 2, iterations: 8 })(model)
        expect(yield* errorOf(many, model)).toBeLessThan(yield* errorOf(two, model))
        expect(events.at(-1)).toEqual({
          _tag: "StepDone",
          step: "LowRank",
          layers: ["body.fc1", "fc2"],
          skipped: [],
          batches: 0,
          changes: [{ change: "branch", at: [["body.fc1"], ["fc2"]] }]
        })
        expect(Object.keys(yield* State.parameters(two))).toContain("body.fc1.down.weight")
        const again = yield* LowRank.correct({ rank: 2 })(model)
        yield* errorOf(again, model)
        expect((yield* stateOf(again)) === (yield* stateOf(two))).toBe(true)
      })
    ))

  it("composes with steps that round, quantizes branches, and is written as ONNX", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const both = yield* pipe(
          model,
          LowRank.correct({ rank: 2, branchQuant: ScaledInt.Int8WeightPerTensorFloat }),
          Effect.flatMap(Gptq.gptq(Stream.make(batch), {}))
        ).pipe(Effect.flip)
        // the scales of the branches follow their weights
        expect(both).toMatchObject({ _tag: "ScaleNotFixed", layer: "body.fc1.down" })
        const rounded = yield* pipe(
          model,
          LowRank.correct({ rank: 2 }),
          Effect.flatMap(Gptq.gptq(Stream.make(batch), {}))
        )
        const plain = yield* LowRank.correct({ rank: 2 })(model)
        expect(yield* errorOf(rounded, model)).toBeLessThan(yield* errorOf(plain, model))
        const file = yield* Onnx.exportQcdq(plain, { inputShape: [1, 20] })
        expect(file.length).toBeGreaterThan(1000)
      })
    ))

  it("leaves layers alone that it does not know, and says why", () =>
    run(
      Effect.gen(function* () {
        const outputQuant = ScaledInt.Int8ActPerTensorFloat
        const size = { inFeatures: 4, outFeatures: 4 } as const
        const model = Model.sequential({
          conv: yield* Convolution.quantConv2d({ inChannels: 1, outChannels: 1, kernelSize: [1, 1] }),
          float: yield* Linear.quantLinear({ ...size, weightQuant: null }),
          output: yield* Linear.quantLinear({ ...size, outputQuant }),
          fc: yield* Linear.quantLinear(size),
          act: yield* Activation.quantReLU()
        })
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        yield* LowRank.correct({ rank: 1, report })(model)
        expect(events.at(-1)).toMatchObject({
          layers: ["fc"],
          skipped: [
            { layer: "conv", reason: "it is not linear" },
            { layer: "float", reason: "it has no weight quantizer" },
            { layer: "output", reason: "it quantizes its output, to which the branch would be added" }
          ]
        })
      })
    ))

  it("refuses ranks beyond the matrix, unknown layers and weights that are not finite", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const failure = (options: LowRank.Options) => Effect.flip(LowRank.correct(options)(model))
        const wide = yield* failure({ rank: 5 })
        expect(wide).toMatchObject({ _tag: "InvalidOptions", layer: "fc2", option: "rank" })
        expect(wide.message).toContain("from 1 to 4, since the weight is [16, 4]; it is 5")
        expect(yield* failure({ rank: 0 })).toMatchObject({ _tag: "InvalidOptions" })
        expect(yield* failure({ rank: 1, iterations: 0 })).toMatchObject({ option: "iterations" })
        expect(yield* failure({ rank: 1, layers: ["fc3"] })).toMatchObject({ _tag: "UnknownLayer", nearest: "fc2" })
        const bad = tf.fill([16, 4], Number.NaN)
        yield* State.assign(model, { "fc2.weight": bad })
        bad.dispose()
        expect(yield* failure({ rank: 1 })).toMatchObject({ _tag: "NonFiniteWeights", layer: "fc2" })
      })
    ))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Random from "../../src/tensor/Random.ts"
import * as Batch from "../../src/train/Batch.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Metric from "../../src/train/Metric.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(Effect.provide(Effect.scoped(effect), Backend.layer))
const notANumber = Number.NaN
const identity = Model.stateless("Identity", (x) => x)
const logits = [
  [0.1, 0.9, 0.5],
  [0.7, 0.2, 0.6],
  [0.3, 0.3, 0.3],
  [notANumber, 0.1, 0.2],
  [0.4, 0.8, 0.1]
]
const data = { shape: [5, 3], values: Float32Array.from(logits.flat()) }
const labels = { shape: [5], values: Int32Array.of(1, 2, 1, 2, 0) }

describe("metrics", () => {
  it.each([1, 2, 3, 5])("count the same in batches of %d", (batchSize) =>
    run(
      Effect.gen(function* () {
        const before = tf.memory().numTensors
        const found = yield* Metric.evaluate(identity, Batch.stream(Batch.source(data, labels), { batchSize }), {
          accuracy: Metric.accuracy,
          top2: Metric.topK(2)
        })
        // the first is right; the others are second: of equal ones the first class counts, and NaN above a number
        expect(found.accuracy).toBeCloseTo(1 / 5, 12)
        expect(found.top2).toBeCloseTo(5 / 5, 12)
        expect(tf.memory().numTensors).toBe(before)
      })
    )
  )
  it("the mean loss is that over all samples, whatever the batches", () =>
    run(
      Effect.gen(function* () {
        const some = { shape: [5, 3], values: Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)) }
        const whole = tf.tidy(
          () => Loss.crossEntropy(tf.tensor2d(some.values, [5, 3]), tf.tensor1d(labels.values, "int32")).dataSync()[0]
        )
        const batches = Batch.stream(Batch.source(some, labels), { batchSize: 2 })
        const { loss } = yield* Metric.evaluate(identity, batches, { loss: Metric.meanLoss(Loss.crossEntropy) })
        expect(loss).toBeCloseTo(whole as number, 6)
      })
    ))
  it("of nothing are NaN, and a failing stream fails as it does", () =>
    run(
      Effect.gen(function* () {
        expect(yield* Metric.evaluate(identity, Stream.empty, { a: Metric.accuracy })).toEqual({ a: notANumber })
        const error = yield* Effect.flip(Metric.evaluate(identity, Stream.fail("no data"), { a: Metric.accuracy }))
        expect(error).toBe("no data")
      })
    ))
  it("leave the model as it was", () =>
    run(
      Effect.gen(function* () {
        const model = yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 3 })
        const before = Layer.tensorsOf(Layer.read(model))
        yield* Metric.evaluate(model, Batch.stream(Batch.source(data, labels), { batchSize: 2 }), {
          a: Metric.accuracy
        })
        expect(Layer.tensorsOf(Layer.read(model))).toEqual(before)
      })
    ))
})

describe("batches", () => {
  const source = Batch.source(
    { shape: [7, 2], values: Float32Array.from({ length: 14 }, (_, i) => i) },
    { shape: [7], values: Int32Array.from({ length: 7 }, (_, i) => i) }
  )
  const read = (options: Batch.StreamOptions) =>
    run(
      Effect.map(Stream.runCollect(Batch.stream(source, options)), (batches) =>
        batches.map(({ size, tensors }) =>
          tf.tidy(() => {
            const { input, target } = tensors()
            expect((input as tf.Tensor).shape).toEqual([size, 2])
            const [x, labels] = [[...(input as tf.Tensor).dataSync()], [...target.dataSync()]]
            expect(x).toEqual(labels.flatMap((i) => [2 * i, 2 * i + 1]))
            expect(target.dtype).toBe("int32")
            return labels
          })
        )
      )
    )
  it("hold every sample once, in its order or a drawn one", async () => {
    expect(await read({ batchSize: 3 })).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(await read({ batchSize: 3, dropRemainder: true })).toEqual([
      [0, 1, 2],
      [3, 4, 5]
    ])
    expect(Batch.countOf(source, { batchSize: 3 })).toBe(3)
    expect(Batch.countOf(source, { batchSize: 3, dropRemainder: true })).toBe(2)
    const drawn = await read({ batchSize: 3, random: Random.make(4) })
    expect(drawn.flat()).not.toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(drawn.flat().toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(await read({ batchSize: 3, random: Random.make(4) })).toEqual(drawn)
    expect(await read({ batchSize: 3, random: Random.make(5) })).not.toEqual(drawn)
  })
  it("have a size", async () => {
    for (const batchSize of [0, 1.5, notANumber]) {
      const error = await run(Effect.flip(Stream.runDrain(Batch.stream(source, { batchSize }))))
      expect(error.message).toContain('Batch.stream: option "batchSize"')
    }
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import * as NormCorrection from "../../src/ptq/NormCorrection.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
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

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

const batch = (seed: number) => (): tf.Tensor =>
  tf.tensor2d(Random.normal(Random.make(seed), 256 * 4, 0.5, 2), [256, 4])
const batches = Stream.make(batch(1), batch(2))

describe("NormCorrection.correct", () => {
  const network = Effect.gen(function* () {
    const fc = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 6, seed: 3, weight: { bitWidth: 3 } })
    return Model.sequential({ body: Model.sequential({ fc, norm: yield* Normalization.batchNorm({ channels: 6 }) }) })
  })

  it("moves half of the way: after many steps it normalizes what the quantized layer answers", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const before = yield* stateOf(model)
        const events: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void events.push(event))
        const once = yield* NormCorrection.correct(batches, { report })(model)
        expect(events.at(-1)).toEqual({
          _tag: "StepDone",
          step: "NormCorrection",
          layers: ["body.norm"],
          skipped: [],
          batches: 2
        })
        expect(yield* stateOf(model)).toBe(before)
        // half of the way each time: after many steps nothing is left of what was there before
        let many = once
        for (let i = 0; i < 12; i++) many = yield* NormCorrection.correct(batches)(many)
        const x = tf.concat([batch(1)(), batch(2)()])
        const y = yield* Layer.forward(many, x)
        const { mean, variance } = tf.moments(QuantTensor.dequantized(y), 0)
        for (const value of mean.dataSync()) expect(value).toBeCloseTo(0, 4)
        for (const value of variance.dataSync()) expect(value).toBeCloseTo(1, 1)
        tf.dispose([x, mean, variance, ...Layer.tensorsIn(y)])
      }).pipe((effect) =>
        Effect.sync(() => tf.engine().startScope()).pipe(
          Effect.andThen(effect),
          Effect.ensuring(Effect.sync(() => tf.engine().endScope()))
        )
      )
    ))

  it("names a normalization that gets NaN, and wants batches", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const bad = Stream.make(() => tf.fill([2, 4], Number.NaN))
        expect(yield* Effect.flip(NormCorrection.correct(bad)(model))).toMatchObject({
          _tag: "NonFiniteActivations",
          layer: "body.norm"
        })
        expect(yield* Effect.flip(NormCorrection.correct(Stream.empty)(model))).toMatchObject({
          _tag: "NoCalibrationData"
        })
      })
    ))
})

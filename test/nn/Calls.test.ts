import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Calls from "../../src/nn/Calls.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"

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

describe("Calls.run", () => {
  it("tells which layer feeds which, in order, also where a layer hands on what it gets", () =>
    run(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2 })
        const act = yield* Activation.quantIdentity()
        const inner = Model.functional({ fc, act }, (layer, x: Layer.Value) => layer.fc(layer.act(layer.fc(x))))
        const model = Model.sequential({ inner, relu: Model.relu })
        tf.tidy(() => {
          const x = tf.ones([1, 2])
          const { calls, outputs } = Calls.run(model, x, Layer.without(Layer.evaluation))
          expect(calls.map(({ path }) => path)).toEqual(["inner.fc", "inner.act", "inner.fc", "relu"])
          expect(calls[0]?.inputs).toEqual([x])
          calls.forEach((call, i) => {
            if (i > 0) expect(call.inputs[0]).toBe(calls[i - 1]?.outputs[0])
            // a value of its own, though without quantizers an identity answers its input
            expect(call.inputs).not.toContain(call.outputs[0])
            expect(call.uses).toEqual([])
          })
          expect(outputs).toEqual(calls.at(-1)?.outputs)
        })
        tf.tidy(() => {
          const { calls } = Calls.run(model, tf.ones([1, 2]))
          expect(calls.map(({ uses }) => uses.map(({ proxy }) => proxy.slot))).toEqual([
            ["weight"],
            ["activation"],
            ["weight"],
            []
          ])
        })
      })
    ))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const run = <A, E>(effect: Effect.Effect<A, E, import("effect").Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(Backend.layer)))

const square = (seed: number) => Linear.quantLinear({ inFeatures: 4, outFeatures: 4, weightQuant: null, seed })

/** Adds two values: a layer with two inputs. */
const add: Layer.Layer<readonly [Layer.Value, Layer.Value]> = {
  kind: "Add",
  cells: [],
  proxies: [],
  apply: (states, [a, b]) => [tf.add(QuantTensor.dequantized(a), QuantTensor.dequantized(b)), states]
}

const residual = Effect.gen(function* () {
  const layers = { first: yield* square(1), second: yield* square(2), add }
  const model = Model.functional(layers, (layer, x: Layer.Value) => layer.add([layer.second(layer.first(x)), x]))
  return { layers, model }
})

describe("a functional model", () => {
  it("calls its layers as the function says, under their names", () =>
    run(
      Effect.gen(function* () {
        const { layers, model } = yield* residual
        const x = tf.tensor([[1, -2, 3, 0.5]])
        const y = yield* Layer.forward(model, x)
        const alone = yield* Layer.forward(layers.first, x)
        const inner = yield* Layer.forward(layers.second, alone)
        const want = tf.add(inner as tf.Tensor, x)
        expect([...(y as tf.Tensor).dataSync()]).toEqual([...want.dataSync()])
        expect(Object.keys(yield* State.parameters(model))).toEqual([
          "first.weight",
          "first.bias",
          "second.weight",
          "second.bias"
        ])
        tf.dispose([x, y as tf.Tensor, alone as tf.Tensor, inner as tf.Tensor, want])
      })
    ))

  it("trains, also where a layer is called twice", () =>
    run(
      Effect.gen(function* () {
        const layer = yield* square(3)
        const model = Model.functional({ layer }, (call, x: Layer.Value) => call.layer(call.layer(x)))
        const trainer = yield* Trainer.make(model, Optimizer.sgd(0.1))
        const x = tf.tensor([[1, -2, 3, 0.5]])
        const before = tf.memory().numTensors
        const losses: Array<number> = []
        for (let i = 0; i < 5; i++) losses.push(yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(y))))
        expect(tf.memory().numTensors).toBe(before)
        expect(losses[4]).toBeLessThan((losses[0] as number) / 2)
        x.dispose()
      })
    ))

  it("answers several values", () =>
    run(
      Effect.gen(function* () {
        const model = Model.functional({ layer: yield* square(4) }, (call, x: Layer.Value) => ({
          once: call.layer(x),
          given: x
        }))
        const x = tf.tensor([[1, -2, 3, 0.5]])
        const before = tf.memory().numTensors
        const { once, given } = yield* Layer.forward(model, x)
        expect((once as tf.Tensor).shape).toEqual([1, 4])
        expect([...(given as tf.Tensor).dataSync()]).toEqual([1, -2, 3, 0.5])
        expect(tf.memory().numTensors).toBe(before + 2)
        tf.dispose([x, once as tf.Tensor, given as tf.Tensor])
      })
    ))
})

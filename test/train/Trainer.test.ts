import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Finite from "../../src/train/Finite.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const actQuant = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 3 }))

/** Twenty steps of a small quantized network; answers with losses and the final parameters. */
const trained = Effect.scoped(
  Effect.gen(function* () {
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 8, seed: 3 })
    const relu = yield* Activation.quantReLU({ actQuant })
    const fc2 = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 1, seed: 4 })
    const model = Model.sequential({ fc1, relu, fc2 })
    const trainer = yield* Trainer.make(model, Optimizer.adam(0.1))
    const x = tf.tensor2d(
      [0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [i / 8, (i * 3) % 5, i % 2, 1]),
      [8, 4]
    )
    const y = tf.sum(x, 1, true)
    const losses: Array<number> = []
    for (let i = 0; i < 20; i++)
      losses.push(yield* Trainer.step(trainer, x, (out) => tf.mean(tf.square(tf.sub(out, y)))))
    const state = yield* State.parameters(model)
    const values = Object.fromEntries(Object.entries(state).map(([name, t]) => [name, [...t.dataSync()]]))
    tf.dispose([x, y])
    return { losses, values }
  })
)

describe.each(["cpu", "wasm"] as const)("Trainer on %s", (name) => {
  const run = <A>(effect: Effect.Effect<A, unknown>) =>
    Effect.runPromise(Effect.provide(effect, name === "cpu" ? Backend.cpu : Backend.layer))

  it("lowers the loss, learns the activation's scale, and gives the same bits again", async () => {
    const { losses, values } = await run(trained)
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(losses[19]).toBeLessThan((losses[3] as number) / 2)
    expect(values["relu.actQuant.scalingImpl.value"]?.[0]).not.toBe(1)
    expect(await run(trained)).toEqual({ losses, values })
  })

  it("leaves no tensor behind", async () => {
    await run(trained)
    const before = tf.memory().numTensors
    await run(trained)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe.each(["cpu", "wasm"] as const)("Finite on %s", (name) => {
  it("sees every element that is not", () =>
    Effect.runPromise(
      Effect.provide(
        Effect.sync(() => {
          for (const size of [1, 3, 4, 7, 17, 1000])
            for (const at of [0, size >> 1, size - 1])
              for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1]) {
                const x = tf.tensor1d(new Float32Array(size).fill(0.5).fill(bad, at, at + 1))
                const found = tf.tidy(() => [Number.isFinite(Finite.witness(x).dataSync()[0]), Finite.all(x)])
                expect(found, `${size} ${at} ${bad}`).toEqual([bad === 1, bad === 1])
                x.dispose()
              }
        }),
        name === "cpu" ? Backend.cpu : Backend.layer
      )
    ))
})

describe("a layer that writes to its parameters", () => {
  it("is stepped from what it wrote, and leaves nothing behind", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weightQuant: null, hasBias: false })
        yield* State.load(fc, { weight: tf.tensor2d([3, -3, 0.25, 0], [2, 2]) })
        const writing: Layer.Layer = {
          ...fc,
          apply: (states, x, mode) => {
            const state = Layer.stateOf(states, fc.own)
            const weight = tf.clipByValue(state.parameters.weight as tf.Tensor, -0.5, 0.5)
            // what is written has no slope of its own: the product is with the weight as it was read
            const [y, after] = fc.apply(states, x, mode)
            return [y, new Map(after).set(fc.own, { ...state, parameters: { ...state.parameters, weight } })]
          }
        }
        const trainer = yield* Trainer.make(writing, Optimizer.sgd(0.1))
        const x = tf.ones([1, 2])
        yield* Trainer.step(trainer, x, (y) => tf.sum(y))
        expect([...(Trainer.parameters(trainer).weight?.dataSync() ?? [])]).toEqual(
          [0.4, -0.6, 0.15, -0.1].map(Math.fround)
        )
        const before = tf.memory().numTensors
        for (let i = 0; i < 3; i++) yield* Trainer.step(trainer, x, (y) => tf.sum(y))
        expect(tf.memory().numTensors).toBe(before)
        x.dispose()
      }).pipe(Effect.scoped, Effect.provide(Backend.layer))
    ))
})

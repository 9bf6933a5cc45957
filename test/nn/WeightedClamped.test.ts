/** Weights that their quantizer clamps and writes back. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Clamp from "../../src/core/Clamp.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const disposed = (y: Layer.Values) => Effect.sync(() => tf.dispose([...Layer.tensorsIn(y)]))

/** The bound of the clamp: the scale. */
const bound = 0.5
const initial = [0.25, -2, 1.5, -0.125]
const clamped = [0.25, -0.5, 0.5, -0.125]

const writing = Injector.let(Binary.SignedBinaryWeightPerTensorConst, { scalingInit: bound })
const keeping = Injector.let(writing, { tensorClampImpl: Clamp.TensorClampSte })

const layerWith = (weightQuant: typeof writing) =>
  Effect.gen(function* () {
    const layer = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 1, weightQuant, hasBias: false })
    const weight = yield* owned(() => tf.tensor2d(initial, [4, 1]))
    yield* State.load(layer, { weight })
    const now = (): ReadonlyArray<number> => [
      ...(LeasedRef.current(layer.own).parameters.weight as tf.Tensor).dataSync()
    ]
    return { layer, now }
  })

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("a clamp that writes, on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))
  const input = owned(() => tf.tensor2d([1, 2, -1, 3], [1, 4]))

  scopedTest("changes the weight in training, never in evaluation; one that only clamps never does", () =>
    Effect.gen(function* () {
      const x = yield* input
      const [a, b] = [yield* layerWith(writing), yield* layerWith(keeping as unknown as typeof writing)]
      for (const { layer, now } of [a, b]) {
        yield* disposed(yield* Layer.forward(layer, x))
        expect(now()).toEqual(initial)
        yield* disposed(yield* Layer.forward(layer, x, Layer.training))
      }
      expect([a.now(), b.now()]).toEqual([clamped, initial])
    })
  )

  scopedTest("is off where weights are not quantized", () =>
    Effect.gen(function* () {
      const x = yield* input
      const { layer, now } = yield* layerWith(writing)
      yield* disposed(yield* Layer.forward(layer, x, Layer.without(Layer.training, ["weight"])))
      expect(now()).toEqual(initial)
    })
  )

  scopedTest("a step goes on from the clamped weight, by the straight-through gradient", () =>
    Effect.gen(function* () {
      const x = yield* input
      for (const [quantizer, from] of [
        [writing, clamped],
        [keeping as unknown as typeof writing, initial]
      ] as const) {
        const { layer, now } = yield* layerWith(quantizer)
        const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.125))
        yield* Trainer.step(trainer, x, (y) => tf.sum(y))
        // y = sum x sign(w) s, so that dw = x s
        const rate = 0.125 * bound
        expect(now()).toEqual([1, 2, -1, 3].map((x, i) => (from[i] as number) - rate * x))
      }
    })
  )

  scopedTest("a layer that is used twice is clamped once, and gets the gradient of both uses", () =>
    Effect.gen(function* () {
      const x = yield* input
      const { layer, now } = yield* layerWith(writing)
      const twice = Model.functional({ layer }, (call, x: Layer.Value) =>
        tf.add(call.layer(x) as tf.Tensor, call.layer(x) as tf.Tensor)
      )
      const trainer = yield* Trainer.make(twice, Optimizer.sgd(0.125))
      yield* Trainer.step(trainer, x, (y) => tf.sum(y))
      expect(now()).toEqual([1, 2, -1, 3].map((x, i) => (clamped[i] as number) - 2 * 0.125 * bound * x))
    })
  )

  scopedTest("many steps leave nothing behind, and weights within a step of the bound", () =>
    Effect.gen(function* () {
      const x = yield* input
      const { layer, now } = yield* layerWith(writing)
      const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1, { momentum: 0.9 }))
      yield* Trainer.step(trainer, x, (y) => tf.sum(y))
      const before = tf.memory().numTensors
      for (let i = 0; i < 10; i++) yield* Trainer.step(trainer, x, (y) => tf.sum(y))
      expect(tf.memory().numTensors).toBe(before)
      for (const w of now()) expect(Math.abs(w)).toBeLessThanOrEqual(bound + 0.1 * 10 * 3 * bound)
    })
  )
})

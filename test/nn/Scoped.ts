/** What tests of layers share: programs that must leave no tensor behind, on each backend, and answers as plain numbers. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Trainer from "../../src/train/Trainer.ts"

/** The same tests on each backend. */
export const onBackends = (title: string, tests: () => void): void => {
  for (const [name, layer] of [
    ["cpu", Backend.cpu],
    ["wasm", Backend.layer]
  ] as const)
    describe(`${title} on ${name}`, () => {
      beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))
      tests()
    })
}

/** Runs a program that must leave no tensor behind. */
export const leakless = async <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
  const before = tf.memory().numTensors
  const answer = await Effect.runPromise(Effect.scoped(program))
  expect(tf.memory().numTensors).toBe(before)
  return answer
}

export const scoped = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>): void =>
  void it(name, () => leakless(Effect.suspend(body)))

/** A tensor of the surrounding Scope. */
export const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))

export const ownedValue = <V extends Layer.Value, E, R>(
  make: Effect.Effect<V, E, R>
): Effect.Effect<V, E, R | Scope.Scope> =>
  Effect.acquireRelease(make, (value) => Effect.sync(() => QuantTensor.dispose(value)))

export const numbers = (tensor: tf.Tensor): ReadonlyArray<number> => Array.from(tensor.dataSync(), (x) => x + 0)

export const near = (actual: ReadonlyArray<number>, wanted: ReadonlyArray<number>, digits = 5): void => {
  expect(actual.length).toBe(wanted.length)
  for (const [i, value] of wanted.entries()) expect(actual[i]).toBeCloseTo(value, digits)
}

/** What a layer answers, kept until the Scope closes. */
export const forward = <In>(layer: Layer.Layer<In>, x: In, mode?: Layer.Mode) =>
  ownedValue(Layer.forward(layer, x, mode))

/** The numbers that a layer answers. */
export const answer = <In>(layer: Layer.Layer<In>, x: In, mode?: Layer.Mode) =>
  Effect.map(forward(layer, x, mode), (y) => numbers(QuantTensor.dequantized(y)))

/** What a layer answers as a quant tensor, whose integers must be whole numbers of its format. */
export const quantized = <In>(layer: Layer.Layer<In>, x: In, mode?: Layer.Mode) =>
  Effect.map(forward(layer, x, mode), (y) => {
    if (!QuantTensor.isQuantTensor(y)) throw new Error(`${layer.kind} answered a plain tensor`)
    expect(QuantTensor.isValid(y)).toBe(true)
    const integers = QuantTensor.int(y)
    const values = numbers(integers)
    integers.dispose()
    return { ...y, integers: values }
  })

/** The typed error of a layer that is given this; a defect fails the test. */
export const refusal = <In>(layer: Layer.Layer<In>, x: In, mode?: Layer.Mode) =>
  Effect.gen(function* () {
    const before = tf.memory().numTensors
    const error = yield* Effect.flip(Layer.forward(layer, x, mode))
    expect(tf.memory().numTensors).toBe(before)
    return error
  })

/** Losses of a few steps towards zeros, which leave as many tensors as there were. */
export const trained = (layer: Layer.Layer, x: Layer.Value, steps = 6, rate = 0.05) =>
  Effect.gen(function* () {
    const trainer = yield* Trainer.make(layer, Optimizer.sgd(rate))
    const loss = (y: Layer.Values): tf.Scalar =>
      tf.mean(tf.square(QuantTensor.dequantized(y as Layer.Value))) as tf.Scalar
    const losses = [yield* Trainer.step(trainer, x as tf.Tensor, loss)]
    const before = tf.memory().numTensors
    for (let i = 1; i < steps; i++) losses.push(yield* Trainer.step(trainer, x as tf.Tensor, loss))
    expect(tf.memory().numTensors).toBe(before)
    return losses
  })

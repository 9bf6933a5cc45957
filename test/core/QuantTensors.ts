/**
 * Quant tensors for tests: from integers, on both backends, with an eye on what is left behind.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import { beforeAll, describe, expect } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"

export const e4m3 = {
  exponentBitWidth: 4,
  mantissaBitWidth: 3,
  exponentBias: 7,
  saturating: true,
  infValues: undefined,
  nanValues: ["111"]
}

/** The suite on both backends. */
export const onBackends = (name: string, suite: (backend: string) => void): void => {
  for (const [backend, layer] of [
    ["cpu", Backend.cpu],
    ["wasm", Backend.layer]
  ] as const)
    describe(`${name} on ${backend}`, () => {
      beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))
      suite(backend)
    })
}

export const numbers = (x: QuantTensor.Value): ReadonlyArray<number> =>
  Array.from(QuantTensor.dequantized(x).dataSync(), (y) => y + 0)
export const ints = (x: QuantTensor.Value): ReadonlyArray<number> =>
  numbers(QuantTensor.int(x as QuantTensor.QuantTensor))

export interface Made {
  readonly scale?: number | tf.Tensor
  readonly zeroPoint?: number | tf.Tensor
  readonly bits?: number
  readonly signed?: boolean
  readonly training?: boolean
  readonly origin?: string
}

const tensor = (x: number | tf.Tensor): tf.Tensor => (typeof x === "number" ? tf.scalar(x) : x)

/** The quant tensor of these integers. */
export const made = (
  whole: ReadonlyArray<number>,
  shape: ReadonlyArray<number>,
  of: Made = {}
): QuantTensor.QuantTensor => {
  const [scale, zeroPoint] = [tensor(of.scale ?? 0.5), tensor(of.zeroPoint ?? 0)]
  return QuantTensor.make({
    value: tf.tidy(() => tf.mul(tf.sub(tf.tensor([...whole], [...shape], "float32"), zeroPoint), scale)),
    scale,
    zeroPoint,
    bitWidth: tf.scalar(of.bits ?? 8),
    signed: of.signed ?? true,
    training: of.training ?? false,
    origin: of.origin
  })
}

/** What an operation answered, which must not have failed. */
export const ok = <A>(result: Result.Result<A, { readonly message: string }>): A =>
  Result.isSuccess(result) ? result.success : expect.fail(result.failure.message)
/** The quant tensor that it answered. */
export const quantized = (
  result: Result.Result<QuantTensor.Value, { readonly message: string }>
): QuantTensor.QuantTensor => {
  const y = ok(result)
  return QuantTensor.isQuantTensor(y) ? y : expect.fail("a plain tensor")
}
/** How it failed. */
export const failure = <E>(result: Result.Result<unknown, E>): E =>
  Result.isFailure(result) ? result.failure : expect.fail("it answered")

/** Runs `f` on operands that it is given; its answer has tensors of its own, and there is nothing else when all is disposed. */
export const leavesNothing = (
  make: () => ReadonlyArray<QuantTensor.Value>,
  f: (...operands: ReadonlyArray<QuantTensor.QuantTensor>) => QuantTensor.Value | ReadonlyArray<QuantTensor.Value>
): void => {
  const before = tf.memory().numTensors
  const operands = make()
  const given = tf.memory().numTensors
  const answer = [f(...(operands as ReadonlyArray<QuantTensor.QuantTensor>))].flat() as ReadonlyArray<QuantTensor.Value>
  const tensors = answer.flatMap(QuantTensor.tensorsOf)
  expect(tf.memory().numTensors - given).toBe(tensors.length)
  operands.forEach(QuantTensor.dispose)
  expect(tensors.filter(({ isDisposed }) => isDisposed)).toEqual([])
  answer.forEach(QuantTensor.dispose)
  expect(tf.memory().numTensors).toBe(before)
}

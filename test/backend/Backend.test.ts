import { createRequire } from "node:module"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Layer } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Wasm from "../../src/backend/Wasm.ts"
import type { BackendUnavailable } from "../../src/tensor/Errors.ts"

type Started = Layer.Layer<Backend.Backend, BackendUnavailable>

/** Builds a layer anew; answers the name in the service and what tfjs then has selected. */
const start = (layer: Started): Promise<readonly [name: Backend.Name, selected: string]> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { name } = yield* Backend.Backend
      return [name, tf.getBackend()] as const
    }).pipe(Effect.provide(layer, { local: true }))
  )

/** Stops the WASM backend, so that its next start is a first one. */
const forgetWasm = () => {
  const factory = tf.findBackendFactory("wasm")
  tf.removeBackend("wasm")
  tf.registerBackend("wasm", factory, 2)
}

const cases: ReadonlyArray<readonly [string, Backend.Name, Started]> = [
  ["Backend.layer", "wasm", Backend.layer],
  ["Backend.cpu", "cpu", Backend.cpu],
  ["Wasm.layer", "wasm", Wasm.layer]
]

describe.each(cases)("%s", (_, name, layer) => {
  beforeAll(() => start(layer))

  it("starts without configuration, and is selected", async () => {
    expect(await start(layer)).toEqual([name, name])
    expect(tf.backend().constructor.name).toBe(name === "wasm" ? "BackendWasm" : "MathBackendCPU")
  })

  it("has the gradient of Sum", () => {
    const dx = tf.grad((x) => tf.sum(tf.mul(x, x)))(tf.tensor1d([1, -2, 3]))
    expect([...dx.dataSync()]).toEqual([2, -4, 6])
  })

  it("has the gradient of Max", () => {
    const x = tf.tensor2d([1, 5, 3, -1, -7, -2], [2, 3])
    const dx = tf.grad((x) => tf.max(x, 1))(x, tf.tensor1d([10, 20]))
    expect([...dx.dataSync()]).toEqual([0, 10, 0, 20, 0, 0])
  })

  it("has the gradient of Relu", () => {
    const dx = tf.grad((x) => tf.relu(x))(tf.tensor1d([-1, 2, 3]), tf.tensor1d([4, 5, 6]))
    expect([...dx.dataSync()]).toEqual([0, 5, 6])
  })

  it("has the gradients of MatMul", () => {
    const [a, b] = [tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])]
    const product = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b)
    const derivatives = tf.grads(product)([a, b], tf.ones([2, 2]))
    expect(derivatives.map((d) => [...d.dataSync()])).toEqual([
      [11, 15, 11, 15],
      [4, 4, 6, 6]
    ])
  })
})

describe("the engine", () => {
  it("is the one that Node's own loader gives", () => {
    const loaded = createRequire(import.meta.url)("@tensorflow/tfjs-core")
    expect(loaded.engine()).toBe(tf.engine())
  })

  it("is shared by all layers: the last to start is selected, and tensors move along", async () => {
    await start(Backend.cpu)
    const x = tf.tensor1d([1, 2])
    expect(await start(Backend.layer)).toEqual(["wasm", "wasm"])
    expect([...tf.add(x, 1).dataSync()]).toEqual([2, 3])
    expect(await start(Backend.cpu)).toEqual(["cpu", "cpu"])
    expect([...tf.add(x, 2).dataSync()]).toEqual([3, 4])
  })

  it("runs a backend once, however often it is started", async () => {
    await start(Backend.layer)
    const instance = tf.backend()
    await start(Backend.wasm())
    await start(Wasm.layer)
    expect(tf.backend()).toBe(instance)
  })

  it("stays whole when several layers start at the same time", async () => {
    forgetWasm()
    const layers = [Backend.layer, Wasm.layer, Backend.cpu, Backend.wasm()]
    const started = await Promise.all(layers.map(start))
    expect(started.map(([name]) => name)).toEqual(["wasm", "wasm", "cpu", "wasm"])
    expect([tf.getBackend(), tf.backend().constructor.name]).toEqual(["wasm", "BackendWasm"])
  })

  it("leaves the process its own way to handle errors", async () => {
    forgetWasm()
    const listeners = () => [process.listeners("uncaughtException"), process.listeners("unhandledRejection")]
    const before = listeners()
    await start(Backend.layer)
    expect(listeners()).toEqual(before)
  })
})

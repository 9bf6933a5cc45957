import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Override from "../../src/backend/Override.ts"

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

const spread = (...shape: Array<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => ((i * 40503) % 1021) / 256 - 2),
    shape
  )

/** What `f` computes on a backend. */
const on = async (name: string, f: () => ReadonlyArray<tf.Tensor>): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  await tf.setBackend(name)
  tf.engine().startScope()
  try {
    return f().map((tensor) => [...tensor.dataSync()])
  } finally {
    tf.engine().endScope()
  }
}

const alike = async (f: () => ReadonlyArray<tf.Tensor>): Promise<void> => {
  const [cpu, wasm] = [await on("cpu", f), await on("wasm", f)]
  expect(wasm.length).toBe(cpu.length)
  for (const [i, values] of cpu.entries()) {
    const largest = Math.max(...values.map(Math.abs), 1)
    expect(wasm[i]?.length).toBe(values.length)
    for (const [j, value] of values.entries())
      expect(Math.abs((wasm[i]?.[j] as number) - value)).toBeLessThan(1e-4 * largest)
  }
}

const untouched = Override.names.map((name) => [name, tf.getKernel(name, "wasm")] as const)

beforeAll(async () => {
  await start(Backend.cpu)
  await start(Backend.layer)
})

describe("tfjs's own kernels", () => {
  it("stay as they are, unless their replacement is asked for", async () => {
    const before = Override.names.map((name) => tf.getKernel(name, "wasm"))
    await start(Backend.layer)
    expect(Override.names.map((name) => tf.getKernel(name, "wasm"))).toEqual(before)
    expect(untouched.length).toBeGreaterThan(0)
    await start(Backend.wasm({ overrideKernels: true }))
    const after = Override.names.map((name) => tf.getKernel(name, "wasm"))
    expect(after.every((kernel, i) => kernel !== undefined && kernel !== before[i])).toBe(true)
    await start(Backend.wasm({ overrideKernels: true }))
    expect(Override.names.map((name) => tf.getKernel(name, "wasm"))).toEqual(after)
  })
})

describe("code that calls tfjs", () => {
  beforeAll(() => start(Backend.wasm({ overrideKernels: true })))

  it("has right products of transposed and batched matrices, with a bias", () =>
    alike(() => [
      tf.matMul(spread(70, 5), spread(70, 9), true, false),
      tf.matMul(spread(5, 70), spread(9, 70), false, true),
      tf.matMul(spread(3, 5, 7), spread(3, 7, 4)),
      tf.fused.matMul({ a: spread(70, 5), b: spread(70, 9) as tf.Tensor2D, transposeA: true, bias: spread(9) }),
      tf.fused.matMul({ a: spread(70, 5), b: spread(70, 9), transposeA: true, bias: spread(9), activation: "relu" }),
      tf.fused.matMul({ a: spread(5, 70), b: spread(70, 9), bias: spread(9), activation: "sigmoid" })
    ]))

  it("has products of integers as before", async () => {
    const [a, b] = [
      [1, 2, 3, 4],
      [5, 6, 7, 8]
    ]
    await expect(
      on("wasm", () => [tf.matMul(tf.tensor2d(a, [2, 2], "int32"), tf.tensor2d(b, [2, 2], "int32"))])
    ).rejects.toThrow()
  })

  it("has the gradients of convolutions", () =>
    alike(() =>
      [
        { strides: 1 as const, pad: "same" as const },
        { strides: 2 as const, pad: "valid" as const }
      ].flatMap(({ strides, pad }) =>
        tf.grads((x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, pad))([
          spread(2, 7, 6, 3),
          spread(3, 2, 3, 5)
        ])
      )
    ))

  it("has the gradients of depthwise convolutions", () =>
    alike(() =>
      tf.grads((x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, "same"))([
        spread(2, 7, 6, 3),
        spread(3, 3, 3, 2)
      ])
    ))

  it("has the gradients of pools and of gather", () =>
    alike(() => [
      tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 3, 2, "same"))(spread(2, 7, 6, 3)),
      tf.grad((x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32")))(spread(4, 3))
    ]))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Kernels from "../../src/backend/Kernels.ts"
import * as Extremum from "../../src/op/Extremum.ts"

const names = Object.keys(Kernels.kernels)
const registered = (): ReadonlyArray<string> => names.filter((name) => tf.getKernel(name, "wasm") !== undefined)
const start = (): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true })))

afterEach(() => vi.restoreAllMocks())

describe("registration", () => {
  /** A backend with this memory, as tfjs would answer it. */
  const withMemory = (memory: unknown) =>
    vi.spyOn(tf.engine(), "findBackend").mockReturnValue({ wasm: { wasmMemory: memory } } as never)

  it("leaves out a backend whose memory is out of reach, and a platform without SIMD", async () => {
    expect(registered()).toEqual([])
    withMemory(undefined)
    await Kernels.register()
    expect(registered()).toEqual([])
    withMemory(new WebAssembly.Memory({ initial: 1 }))
    vi.spyOn(WebAssembly, "validate").mockReturnValue(false)
    await Kernels.register()
    expect(registered()).toEqual([])
  })

  it("comes with the WASM backend, once, and not with another one", async () => {
    await start()
    expect(registered()).toEqual(names)
    const warn = vi.spyOn(console, "warn")
    const kernel = tf.getKernel("BreveAbsMax", "wasm")
    await start()
    expect(tf.getKernel("BreveAbsMax", "wasm")).toBe(kernel)
    expect(warn).not.toHaveBeenCalled()
    expect(names.filter((name) => tf.getKernel(name, "cpu") !== undefined)).toEqual([])
  })

  it("works on a backend that tfjs has started anew", async () => {
    await start()
    const factory = tf.findBackendFactory("wasm")
    tf.removeBackend("wasm")
    tf.registerBackend("wasm", factory)
    await tf.setBackend("wasm")
    expect(tf.tidy(() => Extremum.absMax(tf.tensor([1, -3, 2])).dataSync()[0])).toBe(3)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it, vi } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type { Functions, Running, WasmBackend } from "../../src/backend/Kernel.ts"
import { kernels } from "../../src/backend/Kernels.ts"
import * as Module from "../../src/backend/Module.ts"
import { examples } from "./Examples.ts"

interface Values {
  readonly shape: Array<number>
  readonly dtype: tf.DataType
  readonly data: Float32Array | Int32Array | Uint8Array
}

/** A call of a kernel: what it got, and what it answered on the backend itself. */
interface Call {
  readonly name: string
  readonly inputs: Readonly<Record<string, Values>>
  readonly attrs: tf.NamedAttrMap
  readonly outputs: ReadonlyArray<Values>
}

const valuesOf = (tensor: tf.Tensor): Values => ({
  shape: tensor.shape,
  dtype: tensor.dtype,
  data: tensor.dataSync().slice() as Float32Array
})

/** Every call of a kernel of ours that the examples make, with values and gradients. */
const recorded = (): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  const engine = tf.engine()
  const run = engine.runKernel.bind(engine)
  const spy = vi.spyOn(engine, "runKernel").mockImplementation((name, inputs, attrs) => {
    const answer = run(name, inputs, attrs)
    if (name.startsWith("Breve"))
      calls.push({
        name,
        inputs: Object.fromEntries(
          Object.entries(inputs as Record<string, tf.Tensor | undefined>).flatMap(([key, tensor]) =>
            tensor === undefined ? [] : [[key, valuesOf(tensor)]]
          )
        ),
        attrs: attrs ?? {},
        outputs: ([answer].flat() as Array<tf.Tensor>).map(valuesOf)
      })
    return answer as never
  })
  for (const example of examples) tf.tidy(() => example())
  spy.mockRestore()
  return calls
}

/** A backend over a memory of its own whose tensors begin at an address, each after a gap that no vector divides. */
const backendAt = (memory: WebAssembly.Memory, functions: Functions, start: number) => {
  const places = new Map<unknown, { memoryOffset: number }>()
  const next = { address: start }
  const bytes = (shape: ReadonlyArray<number>, dtype: string): number =>
    tf.util.sizeFromShape([...shape]) * (dtype === "bool" ? 1 : 4)
  const make = (shape: Array<number>, dtype: tf.DataType): tf.TensorInfo => {
    const dataId = {}
    places.set(dataId, { memoryOffset: next.address })
    next.address += (Math.ceil(bytes(shape, dtype) / 16) + 1) * 16 + 8
    return { dataId, shape, dtype }
  }
  const backend: WasmBackend = {
    wasm: { wasmMemory: memory },
    dataIdMap: { get: (dataId) => places.get(dataId) as { memoryOffset: number } },
    makeOutput: make,
    disposeData: () => true
  }
  const at = ({ dataId, shape, dtype }: tf.TensorInfo): Uint8Array =>
    new Uint8Array(memory.buffer, places.get(dataId)?.memoryOffset, bytes(shape, dtype))
  const put = ({ shape, dtype, data }: Values): tf.TensorInfo => {
    const info = make(shape, dtype)
    at(info).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return info
  }
  return { running: { functions, backend } satisfies Running, put, at, next }
}

const bytesOf = ({ data }: Values): ReadonlyArray<number> => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
]

/** What the calls answer on another memory, against what they answered first. */
const replayed = async (memory: WebAssembly.Memory, start: number, calls: ReadonlyArray<Call>): Promise<void> => {
  const functions = await Module.instantiate("deterministic", memory)
  for (const { name, inputs, attrs, outputs } of calls) {
    const { running, put, at } = backendAt(memory, functions, start)
    const given = Object.fromEntries(Object.entries(inputs).map(([key, values]) => [key, put(values)]))
    const answers = [kernels[name]?.(running, given, attrs) ?? []].flat()
    expect(answers.map((answer) => [...at(answer)])).toEqual(outputs.map(bytesOf))
  }
}

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

describe("where tensors lie", () => {
  it("the examples call every kernel", () => {
    expect([...new Set(recorded().map(({ name }) => name))].sort()).toEqual(Object.keys(kernels).sort())
  })

  it("does not matter: beyond 2 GB", async () => {
    const pages = 34_000 // 2.2 GB, of which the system gives only what is touched
    await replayed(new WebAssembly.Memory({ initial: pages }), 2 ** 31 + 8, recorded())
  })

  it("does not matter: from below 2 GB to above", async () => {
    await replayed(new WebAssembly.Memory({ initial: 34_000 }), 2 ** 31 - 64, recorded())
  })

  it("does not matter: in a memory that threads share", async () => {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65_536, shared: true })
    await replayed(memory, 8, recorded())
  })
})

describe("a memory that grows", () => {
  it("while a kernel makes room for what it answers", () => {
    const { memory } = (tf.backend() as unknown as { wasm: { asm: { memory: WebAssembly.Memory } } }).wasm.asm
    const before = memory.buffer.byteLength
    const kept: Array<tf.Tensor> = []
    while (memory.buffer.byteLength === before) {
      const x = tf.fill([1 << 20], -2)
      kept.push(x, tf.engine().runKernel("BreveAbsMax", { x }) as tf.Tensor)
      expect(kept.at(-1)?.dataSync()[0]).toBe(2)
      for (const example of examples) tf.tidy(() => example())
    }
    tf.dispose(kept)
  })
})

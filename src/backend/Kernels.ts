/**
 * breve's own kernels on the WASM backend: small SIMD loops that work on the backend's memory, registered as kernels of tfjs.
 *
 * Ops ask `tf.getKernel` whether they are there; without them (no SIMD, or the threaded build with its shared memory) an op is the
 * composition of standard ops, which is its definition.
 *
 * Room: backend (level 1). Imports: tfjs and the generated module (.build/kernels.mjs). Laws: test/op/FakeQuant.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { base64 } from "./kernels.generated.js"

// ---- model --------------------------------------------------------------------------------------------------

/** The functions of the module: addresses, lengths and flags. */
interface Functions {
  readonly fakeQuant: (...given: ReadonlyArray<number>) => void
  readonly fakeQuantGrad: (...given: ReadonlyArray<number>) => void
  readonly absMax: (x: number, size: number, y: number) => void
  readonly absMaxGrad: (x: number, size: number, extremum: number, dy: number, dx: number) => void
}

/** What is used of tfjs's WASM backend. */
interface WasmBackend {
  readonly wasm: { readonly asm?: { readonly memory?: unknown }; readonly wasmMemory?: unknown }
  readonly dataIdMap: { readonly get: (dataId: tf.DataId) => { readonly memoryOffset: number } }
  readonly makeOutput: (shape: Array<number>, dtype: "float32") => tf.TensorInfo
  readonly disposeData: (dataId: tf.DataId) => boolean
}

// ---- the module ---------------------------------------------------------------------------------------------

const binary = (): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

/** The memory of a backend, if the kernels can work on it: they are not built for a shared one. */
const memoryOf = ({ wasm }: WasmBackend): WebAssembly.Memory | undefined => {
  const memory = wasm.asm?.memory ?? wasm.wasmMemory
  return memory instanceof WebAssembly.Memory && memory.buffer instanceof ArrayBuffer ? memory : undefined
}

const instances = new WeakMap<object, Functions>()

/** The functions over a backend's memory: made when it starts, or at the first call on one that tfjs has started anew. */
const functionsOf = (backend: WasmBackend): Functions => {
  const known = instances.get(backend)
  if (known !== undefined) return known
  const imports = { env: { memory: memoryOf(backend) as WebAssembly.Memory } }
  const made = new WebAssembly.Instance(new WebAssembly.Module(binary()), imports).exports as unknown as Functions
  instances.set(backend, made)
  return made
}

// ---- the kernels --------------------------------------------------------------------------------------------

type Kernel = (
  functions: Functions,
  backend: WasmBackend,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap
) => tf.TensorInfo | Array<tf.TensorInfo>

/** Where a tensor lies; to be asked again at each call. */
const at = (backend: WasmBackend, { dataId }: tf.TensorInfo): number => backend.dataIdMap.get(dataId).memoryOffset
const input = (inputs: tf.NamedTensorInfoMap, name: string): tf.TensorInfo => inputs[name] as tf.TensorInfo
const number = (attrs: tf.NamedAttrMap, name: string): number => Number(attrs[name])

const layout = ["outer", "repeats", "channels", "inner", "scaleStep", "zeroStep"] as const

const fakeQuant: Kernel = (functions, backend, inputs, attrs) => {
  const y = backend.makeOutput(input(inputs, "x").shape, "float32")
  functions.fakeQuant(
    ...["x", "scale", "zeroPoint", "low", "high"].map((name) => at(backend, input(inputs, name))),
    at(backend, y),
    ...layout.map((name) => number(attrs, name)),
    number(attrs, "rounding")
  )
  return y
}

const fakeQuantGrad: Kernel = (functions, backend, inputs, attrs) => {
  const like = ["x", "scale", "zeroPoint", "low", "high"].map((name) => input(inputs, name))
  const to = like.map(({ shape }) => backend.makeOutput(shape, "float32"))
  // two doubles for each channel, where the channels are the innermost axis
  const sums = number(attrs, "inner") === 1 ? backend.makeOutput([4 * number(attrs, "channels")], "float32") : undefined
  functions.fakeQuantGrad(
    ...[...like, input(inputs, "dy"), ...to].map((tensor) => at(backend, tensor)),
    sums === undefined ? 0 : at(backend, sums),
    ...layout.map((name) => number(attrs, name)),
    number(attrs, "passes"),
    number(attrs, "rounding")
  )
  if (sums !== undefined) backend.disposeData(sums.dataId)
  return to
}

const absMax: Kernel = (functions, backend, inputs) => {
  const x = input(inputs, "x")
  const y = backend.makeOutput([], "float32")
  functions.absMax(at(backend, x), tf.util.sizeFromShape(x.shape), at(backend, y))
  return y
}

const absMaxGrad: Kernel = (functions, backend, inputs) => {
  const x = input(inputs, "x")
  const dx = backend.makeOutput(x.shape, "float32")
  const size = tf.util.sizeFromShape(x.shape)
  functions.absMaxGrad(
    at(backend, x),
    size,
    at(backend, input(inputs, "extremum")),
    at(backend, input(inputs, "dy")),
    at(backend, dx)
  )
  return dx
}

const kernels: Readonly<Record<string, Kernel>> = {
  BreveFakeQuant: fakeQuant,
  BreveFakeQuantGrad: fakeQuantGrad,
  BreveAbsMax: absMax,
  BreveAbsMaxGrad: absMaxGrad
}

/** Makes the kernels ready for the WASM backend that has started; a second call does nothing. */
export const register = async (): Promise<void> => {
  const backend = tf.findBackend("wasm") as unknown as WasmBackend
  const memory = memoryOf(backend)
  if (memory === undefined || instances.has(backend) || !WebAssembly.validate(binary())) return
  const { instance } = await WebAssembly.instantiate(binary(), { env: { memory } })
  instances.set(backend, instance.exports as unknown as Functions)
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    if (tf.getKernel(kernelName, "wasm") !== undefined) continue
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend }) => {
      const running = backend as WasmBackend
      return kernel(functionsOf(running), running, inputs, attrs ?? {})
    }
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc })
  }
}

/**
 * breve's own kernels on the WASM backend: small SIMD loops that work on the backend's memory, registered as kernels of tfjs.
 *
 * Ops ask `tf.getKernel` whether they are there; without them (no SIMD, or the threaded build with its shared memory) an op is the
 * composition of standard ops, which is its definition.
 *
 * Room: backend (level 1). Imports: tfjs, `./Kernel.ts`, `./kernels`, and the generated module (.build/kernels.mjs).
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Functions, Kernels, WasmBackend } from "./Kernel.ts"
import * as AbsMax from "./kernels/AbsMax.ts"
import * as FakeQuant from "./kernels/FakeQuant.ts"
import { base64 } from "./kernels.generated.js"

const kernels: Kernels = { ...FakeQuant.kernels, ...AbsMax.kernels }

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

// ---- registering --------------------------------------------------------------------------------------------

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
      return kernel({ functions: functionsOf(running), backend: running }, inputs, attrs ?? {})
    }
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc })
  }
}

/**
 * breve's own kernels on the WASM backend: small SIMD loops that work on the backend's memory, registered as kernels of tfjs.
 *
 * Ops ask `tf.getKernel` whether they are there; without them (no SIMD) an op is the composition of standard ops, which is its
 * definition.
 *
 * Room: backend (level 1). Imports: tfjs, `./Kernel.ts`, `./kernels`, `./Module.ts`. Laws: test/backend/Kernels.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Functions, Kernels, Running, WasmBackend } from "./Kernel.ts"
import * as AbsMax from "./kernels/AbsMax.ts"
import * as Convolution from "./kernels/Convolution.ts"
import * as Elementwise from "./kernels/Elementwise.ts"
import * as FakeQuant from "./kernels/FakeQuant.ts"
import * as Gather from "./kernels/Gather.ts"
import * as Levels from "./kernels/Levels.ts"
import * as MatMul from "./kernels/MatMul.ts"
import * as Pool from "./kernels/Pool.ts"
import * as Module from "./Module.ts"

/** All kernels by name. */
export const kernels: Kernels = {
  ...FakeQuant.kernels,
  ...AbsMax.kernels,
  ...Convolution.kernels,
  ...Gather.kernels,
  ...Pool.kernels,
  ...Levels.kernels,
  ...MatMul.kernels,
  ...Elementwise.kernels
}

// ---- the functions of a backend -------------------------------------------------------------------------------

/** Which kernels are wanted. */
export interface Options {
  /**
   * Lets products of matrices use fused multiply-adds where the engine has relaxed SIMD: faster, but the last bits of a sum then
   * depend on the machine. Default: false, the same bits everywhere.
   */
  readonly relaxedSimd?: boolean
  /**
   * Puts breve's kernels in the place of those of TensorFlow.js, for code that calls tfjs directly: gradients that it lacks or computes
   * slowly, products of transposed matrices. It lasts as long as the process. Default: false, other code is not changed.
   */
  readonly overrideKernels?: boolean
}

/** The memory of a backend, shared or not. */
const memoryOf = ({ wasm }: WasmBackend): WebAssembly.Memory | undefined => {
  const memory = wasm.wasmMemory ?? wasm.asm?.memory
  return memory instanceof WebAssembly.Memory ? memory : undefined
}

/** Which modules serve a backend. */
const namesOf = (memory: WebAssembly.Memory, { relaxedSimd }: Options): ReadonlyArray<Module.Name> =>
  (["deterministic", ...(relaxedSimd === true ? ["relaxed" as const] : [])] as const).filter((name) =>
    Module.runs(name, memory)
  )

const merged = (all: ReadonlyArray<Functions>): Functions => Object.assign({}, ...all)

const instances = new WeakMap<object, Functions>()

/** The functions over a backend's memory; on one that tfjs has started anew by itself, the deterministic ones. */
const functionsOf = (backend: WasmBackend): Functions => {
  const known = instances.get(backend)
  if (known !== undefined) return known
  const memory = memoryOf(backend) as WebAssembly.Memory
  const made = Module.instantiateSync("deterministic", memory)
  instances.set(backend, made)
  return made
}

// ---- registering --------------------------------------------------------------------------------------------

/** Makes the kernels ready for the WASM backend that has started; a second call may choose other ones. */
export const register = async (options: Options = {}): Promise<void> => {
  const backend = tf.findBackend("wasm") as unknown as WasmBackend
  const memory = memoryOf(backend)
  const names = memory === undefined ? [] : namesOf(memory, options)
  if (memory === undefined || !names.includes("deterministic")) return
  instances.set(backend, merged(await Promise.all(names.map((name) => Module.instantiate(name, memory)))))
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    if (tf.getKernel(kernelName, "wasm") !== undefined) continue
    const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend }) => {
      const running = backend as WasmBackend
      return kernel({ functions: functionsOf(running), backend: running }, inputs, attrs ?? {})
    }
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc })
  }
}

/** A backend with its functions, for kernels that stand in the place of others. */
export const running = (backend: unknown): Running => ({
  functions: functionsOf(backend as WasmBackend),
  backend: backend as WasmBackend
})

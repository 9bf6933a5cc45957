/**
 * What a kernel of breve on the WASM backend is: a function of tensors in the backend's memory that calls the module's functions.
 *
 * Room: backend (level 1). Imports: tfjs.
 */
import type * as tf from "@tensorflow/tfjs-core"

/** The functions of the module, by name: they get addresses, lengths and flags. */
export type Functions = Readonly<Record<string, (...given: ReadonlyArray<number>) => number>>

/** What is used of tfjs's WASM backend. */
export interface WasmBackend {
  readonly wasm: { readonly asm?: { readonly memory?: unknown }; readonly wasmMemory?: unknown }
  readonly dataIdMap: { readonly get: (dataId: tf.DataId) => { readonly memoryOffset: number } }
  readonly makeOutput: (shape: Array<number>, dtype: "float32") => tf.TensorInfo
  readonly disposeData: (dataId: tf.DataId) => boolean
}

/** The functions over the memory of a backend. */
export interface Running {
  readonly functions: Functions
  readonly backend: WasmBackend
}

export type Kernel = (
  running: Running,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap
) => tf.TensorInfo | Array<tf.TensorInfo>

/** Kernels by the names they are registered under. */
export type Kernels = Readonly<Record<string, Kernel>>

// ---- operations ---------------------------------------------------------------------------------------------

/** Calls a function of the module. */
export const call = ({ functions }: Running, name: string, ...given: ReadonlyArray<number>): number =>
  (functions[name] as Functions[string])(...given)

/** Where a tensor lies, in bytes; to be asked again at each call. */
export const at = ({ backend }: Running, { dataId }: tf.TensorInfo): number =>
  backend.dataIdMap.get(dataId).memoryOffset

/** A new tensor without values. */
export const output = ({ backend }: Running, shape: ReadonlyArray<number>): tf.TensorInfo =>
  backend.makeOutput([...shape], "float32")

/** Room for as many bytes while `f` runs, which gets its address. */
export const scratch = <A>(running: Running, bytes: number, f: (address: number) => A): A => {
  const room = output(running, [Math.ceil(bytes / 4)])
  try {
    return f(at(running, room))
  } finally {
    running.backend.disposeData(room.dataId)
  }
}

export const input = (inputs: tf.NamedTensorInfoMap, name: string): tf.TensorInfo => inputs[name] as tf.TensorInfo
export const number = (attrs: tf.NamedAttrMap, name: string): number => Number(attrs[name])

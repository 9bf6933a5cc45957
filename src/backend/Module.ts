/**
 * The WebAssembly modules of breve's kernels, made for the memory they work on: the WASM backend's own, which is shared where a page
 * is cross-origin isolated.
 *
 * Room: backend (level 1). Imports: the generated modules (.build/kernels.mjs). Laws: test/backend/Module.test.ts.
 */
import type { Functions } from "./Kernel.ts"
import * as generated from "./kernels.generated.js"

/** `deterministic` has all kernels, with the same bits everywhere; `relaxed` those that fused multiply-adds make faster. */
export type Name = keyof typeof generated.modules

const bytes = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

const isShared = ({ buffer }: WebAssembly.Memory): boolean => !(buffer instanceof ArrayBuffer)

/** The binary of a module for a memory. */
const binary = (name: Name, memory: WebAssembly.Memory): Uint8Array<ArrayBuffer> => {
  const { before, after } = generated.modules[name]
  const section = isShared(memory) ? generated.memory.shared : generated.memory.own
  const parts = [bytes(before), Uint8Array.from(section), bytes(after)]
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** Whether this engine can run a module: without SIMD none. */
export const runs = (name: Name, memory: WebAssembly.Memory): boolean => WebAssembly.validate(binary(name, memory))

/** The functions of a module over a memory. */
export const instantiate = async (name: Name, memory: WebAssembly.Memory): Promise<Functions> => {
  const { instance } = await WebAssembly.instantiate(binary(name, memory), { env: { memory } })
  return instance.exports as unknown as Functions
}

/** The same at once. */
export const instantiateSync = (name: Name, memory: WebAssembly.Memory): Functions => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary(name, memory)), { env: { memory } })
  return exports as unknown as Functions
}

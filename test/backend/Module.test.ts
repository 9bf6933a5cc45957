import { setFlagsFromString } from "node:v8"
import { describe, expect, it } from "vitest"
import { memory, modules } from "../../src/backend/kernels.generated.js"
import * as Module from "../../src/backend/Module.ts"

const own = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1 })
const shared = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true })

const binary = ({ before, after }: { readonly before: string; readonly after: string }) =>
  Buffer.concat([Buffer.from(before, "base64"), Buffer.from(memory.own), Buffer.from(after, "base64")])

describe("the modules", () => {
  it("are small together", () => {
    const bytes = Object.values(modules).reduce((sum, module) => sum + binary(module).length, 0)
    expect(bytes).toBeGreaterThan(1_000)
    expect(bytes).toBeLessThanOrEqual(30_000)
  })

  it("import nothing but the memory", async () => {
    const module = await WebAssembly.compile(binary(modules.deterministic))
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }])
  })

  it("compute on a memory of the page alone, and on one that threads share", async () => {
    for (const memory of [own(), shared()]) {
      const values = new Float32Array(memory.buffer)
      values.set([1, -5, 3], 4)
      for (const functions of [
        await Module.instantiate("deterministic", memory),
        Module.instantiateSync("deterministic", memory)
      ]) {
        values[0] = 0
        functions.absMax?.(16, 3, 0)
        expect(values[0]).toBe(5)
      }
    }
  })

  it("multiply and add at once where the engine can, with nearly the same sums", async () => {
    // Node 20 has it behind a flag, later versions always
    setFlagsFromString("--experimental-wasm-relaxed-simd")
    for (const memory of [own(), shared()]) {
      expect(Module.runs("relaxed", memory)).toBe(true)
      const [exact, relaxed] = [
        await Module.instantiate("deterministic", memory),
        await Module.instantiate("relaxed", memory)
      ]
      const names = Object.keys(relaxed).filter((name) => typeof relaxed[name] === "function")
      expect(names.length).toBeGreaterThan(0)
      expect(names.filter((name) => typeof exact[name] !== "function")).toEqual([])
      const [m, n, k] = [5, 9, 70]
      const floats = new Float32Array(memory.buffer)
      for (let i = 0; i < (m + n) * k; i++) floats[4 + i] = ((i * 40503) % 1021) / 256 - 2
      const [a, b, y] = [16, 16 + 4 * m * k, 16 + 4 * (m + n) * k]
      const room = Math.ceil((y + 4 * m * n) / 16) * 16
      const product = ({ matMul }: typeof exact): ReadonlyArray<number> => {
        matMul?.(a, b, 0, y, m, n, k, 0, 0, room)
        return [...floats.slice(y / 4, y / 4 + m * n)]
      }
      const [want, got] = [product(exact), product(relaxed)]
      expect(want.some((value) => value !== 0)).toBe(true)
      for (const [i, value] of want.entries()) expect(Math.abs((got[i] as number) - value)).toBeLessThan(1e-4)
    }
  })
})

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
})

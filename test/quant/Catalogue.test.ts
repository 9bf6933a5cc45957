import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import { quantize, type TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"

describe.each(Object.entries(Catalogue.entries))("%s", (name, entry) => {
  it("is named, wired without doubt, and quantizes onto few levels without leaking", async () => {
    expect(entry.name).toBe(name)
    // rules serve many options, so that some attributes are not looked at
    expect(Injector.diagnose(entry, ["tensorQuant"]).filter(({ kind }) => kind !== "unused")).toEqual([])
    const program = Effect.gen(function* () {
      const before = tf.memory().numTensors
      const levels = yield* Effect.scoped(
        Effect.map(Injector.resolveUnknown(entry, ["tensorQuant"]), ({ tensorQuant }) =>
          tf.tidy(() => {
            const x = tf.linspace(-3, 3, 2001)
            const { value, scale, bitWidth } = quantize(tensorQuant as TensorQuantizer, x, true)
            expect(bitWidth.dataSync()[0]).toBe(8)
            expect(scale.dataSync()[0]).toBeGreaterThan(0)
            return new Set(value.dataSync()).size
          })
        )
      )
      return { levels, leaked: tf.memory().numTensors - before }
    })
    const { levels, leaked } = await Effect.runPromise(Effect.provide(program, Backend.layer))
    expect(levels).toBeGreaterThan(100)
    expect(levels).toBeLessThanOrEqual(256)
    expect(leaked).toBe(0)
  })
})

import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as tf from "@tensorflow/tfjs-core"
import { describe, expect, it } from "vitest"
import * as Gradients from "../../src/backend/Gradients.ts"

const own = createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/dist/register_all_gradients.js")
const registered = () => Gradients.all.map(({ kernelName }) => tf.getGradient(kernelName))

describe("Gradients", () => {
  it("registers nothing when it is imported", () => {
    expect(new Set(registered())).toEqual(new Set([undefined]))
  })

  it("has every gradient that tfjs registers itself", () => {
    const list = /gradConfigs = \[([^\]]*)\]/.exec(readFileSync(own, "utf8"))?.[1]?.split(",") ?? []
    expect(list.length).toBeGreaterThan(100)
    expect(Gradients.all).toHaveLength(list.length)
  })

  it("registers each once, and leaves a gradient that is there", () => {
    const mine: tf.GradConfig = { kernelName: "Sign", gradFunc: (dy) => ({ x: () => dy as tf.Tensor }) }
    tf.registerGradient(mine)
    Gradients.register()
    const first = registered()
    expect(first).not.toContain(undefined)
    expect(tf.getGradient("Sign")).toBe(mine)
    Gradients.register()
    expect(registered().every((gradient, i) => gradient === first[i])).toBe(true)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Relu from "../../src/op/Relu.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const number = fc.oneof(
  fc.float(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** -149, -(2 ** -149))
)

const backends = [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const

const start = (layer: (typeof backends)[number][1]): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

describe.each(backends)("Relu on %s", (name, layer) => {
  beforeAll(() => start(layer))

  it("runs there", () => {
    expect(tf.getBackend()).toBe(name)
    expect(tf.getKernel("BreveRelu", name) !== undefined).toBe(name === "wasm")
  })

  it("is 0 below 0 and has the slope 1 above; NaN passes; nothing changes or leaks", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number), { maxLength: 40 }), (pairs) => {
        const { numTensors } = tf.memory()
        const [xs, dys] = [pairs.map(([x]) => x), pairs.map(([, dy]) => dy)]
        tf.tidy(() => {
          const [x, dy] = [tf.tensor1d(xs, "float32"), tf.tensor1d(dys, "float32")]
          const y = Relu.relu(x)
          const [gradient] = Gradient.valueAndGradients(() => tf.sum(tf.mul(Relu.relu(x), dy)), [x]).gradients
          expect([...y.dataSync()]).toEqual(xs.map((x) => (x >= 0 || Number.isNaN(x) ? x : 0)))
          expect([...(gradient?.dataSync() ?? [])]).toEqual(dys.map((dy, i) => ((xs[i] as number) <= 0 ? 0 : dy)))
          expect([...x.dataSync()]).toEqual(xs)
        })
        expect(tf.memory().numTensors).toBe(numTensors)
      })
    )
  })
})

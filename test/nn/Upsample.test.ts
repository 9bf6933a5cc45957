import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Upsample from "../../src/nn/Upsample.ts"
import { answer, forward, near, numbers, onBackends, owned, quantized, refusal, scoped } from "./Scoped.ts"

const image = () =>
  Effect.gen(function* () {
    const identity = yield* Activation.quantIdentity({ returnQuantTensor: true })
    return yield* quantized(identity, yield* owned(() => tf.tensor4d([0.1, -0.6, 0.4, 0.9], [1, 2, 2, 1])))
  })

onBackends("upsampling", () => {
  scoped("nearest repeats the integers", () =>
    Effect.gen(function* () {
      const x = yield* image()
      const [a, b, c, d] = x.integers
      const y = yield* quantized(Upsample.upsampleNearest({ scaleFactor: [1, 2] }), x)
      expect([y.value.shape, y.integers]).toEqual([
        [1, 2, 4, 1],
        [a, a, b, b, c, c, d, d]
      ])
      const sized = yield* quantized(Upsample.upsampleNearest({ size: [3, 1] }), x)
      expect(sized.integers).toEqual([a, a, c])
    })
  )

  scoped("bilinear goes to the nearest integer of the same grid", () =>
    Effect.gen(function* () {
      const x = yield* image()
      const layer = Upsample.upsampleBilinear({ size: [2, 4], alignCorners: false })
      const y = yield* quantized(layer, x)
      const [a, b, c, d] = x.integers as [number, number, number, number]
      const between = (p: number, q: number): ReadonlyArray<number> => [p, 0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q, q]
      for (const [i, wanted] of [...between(a, b), ...between(c, d)].entries())
        expect(Math.abs((y.integers[i] as number) - wanted)).toBeLessThanOrEqual(0.5)
      expect(numbers(y.scale)).toEqual(numbers(x.scale))
      // plain ones stay between
      near(
        yield* answer(layer, x.value),
        [...between(a, b), ...between(c, d)].map((v) => v / 128)
      )
    })
  )

  scoped("of no images it is empty; other ranks are refused", () =>
    Effect.gen(function* () {
      for (const [kind, layer] of [
        ["QuantUpsampleNearest", Upsample.upsampleNearest({ scaleFactor: 2 })],
        ["QuantUpsampleBilinear", Upsample.upsampleBilinear({ scaleFactor: 2 })]
      ] as const) {
        const y = yield* forward(layer, yield* owned(() => tf.zeros([0, 2, 3, 1])))
        expect(QuantTensor.shapeOf(y)).toEqual([0, 4, 6, 1])
        const x = yield* owned(() => tf.ones([2, 3, 1]))
        expect(yield* refusal(layer, x)).toMatchObject({
          _tag: "ShapeMismatch",
          what: `the input of ${kind}`,
          expected: "[n, h, w, c]",
          actual: [2, 3, 1]
        })
      }
    })
  )
})

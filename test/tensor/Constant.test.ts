import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Range from "../../src/op/Range.ts"
import * as Constant from "../../src/tensor/Constant.ts"

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

it("is a scalar of its own each time that knows its number, as float32; others know none", () => {
  tf.tidy(() => {
    const [a, b] = [Constant.scalar(0.1), Constant.scalar(0.1)]
    expect([a.shape, a.dtype, ...a.dataSync()]).toEqual([[], "float32", Math.fround(0.1)])
    expect([Constant.numberOf(a), a === b, Constant.numberOf(tf.scalar(0.1))]).toEqual([
      Math.fround(0.1),
      false,
      undefined
    ])
  })
})

it("of a bit-width gives the bounds that its operations give, from 1 to 32 bits", () => {
  tf.tidy(() => {
    for (const bits of Array.from({ length: 32 }, (_, i) => i + 1))
      for (const signed of [true, false])
        for (const narrowRange of [true, false]) {
          const bounds = (width: tf.Tensor): ReadonlyArray<number> =>
            [Range.minInt, Range.maxInt].map((f) => (f(width, { signed, narrowRange }).dataSync()[0] as number) + 0)
          expect(bounds(Constant.scalar(bits))).toEqual(bounds(tf.scalar(bits)))
        }
  })
})

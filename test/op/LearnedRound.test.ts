import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as LearnedRound from "../../src/op/LearnedRound.ts"

const { fround } = Math
const of = (f: (p: tf.Tensor) => tf.Tensor, p: ReadonlyArray<number>): ReadonlyArray<number> =>
  tf.tidy(() => Array.from(f(tf.tensor1d([...p])).dataSync()))
const slope = (f: (p: tf.Tensor) => tf.Tensor, p: ReadonlyArray<number>): ReadonlyArray<number> =>
  tf.tidy(() =>
    Array.from(
      tf
        .grad(f)(tf.tensor1d([...p]), tf.onesLike(tf.tensor1d([...p])))
        .dataSync()
    )
  )

const hard = (p: tf.Tensor): tf.Tensor => LearnedRound.hardSigmoid(p, 1.1, -0.1)
const soft = (p: tf.Tensor): tf.Tensor => LearnedRound.sigmoid(p, 0.25)
const finite = fc.float({ noNaN: true, min: -20, max: 20 })

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`functions of learned rounding on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it("stay in [0, 1] and never fall", () => {
      for (const f of [hard, soft, LearnedRound.positiveStep])
        fc.assert(
          fc.property(finite, finite, (a, b) => {
            const [low, high] = of(f, [Math.min(a, b), Math.max(a, b)]) as [number, number]
            return 0 <= low && low <= high && high <= 1
          }),
          { numRuns: 100 }
        )
    })
    it("a hard decision is whether the soft one is above one half", () => {
      const decided = (p: tf.Tensor): tf.Tensor => LearnedRound.hardSigmoidStep(p, 1.1, -0.1)
      fc.assert(
        fc.property(finite, (p) => of(decided, [p])[0] === ((of(hard, [p])[0] as number) > 0.5 ? 1 : 0)),
        { numRuns: 100 }
      )
    })
    it("the inverse gives back a fraction", () => {
      fc.assert(
        fc.property(fc.float({ noNaN: true, min: 0, max: fround(0.999) }), (fraction) => {
          const [back] = of((x) => hard(LearnedRound.hardSigmoidInverse(x, 1.1, -0.1)), [fraction]) as [number]
          return Math.abs(back - fraction) < 1e-5
        }),
        { numRuns: 100 }
      )
    })
    it("slopes are those of differences, and 0 where the hard sigmoid is cut off", () => {
      const p = [-2, -0.5, 0, 0.3, 1.7]
      for (const f of [hard, soft])
        for (const [i, d] of slope(f, p).entries()) {
          const at = p[i] as number
          const [low, high] = of(f, [at - 1e-2, at + 1e-2]) as [number, number]
          expect(d).toBeCloseTo((high - low) / 2e-2, 2)
        }
      expect(slope(hard, [-10, 10, Number.NaN])).toEqual([0, 0, 0])
    })
    it("NaN passes, infinities saturate", () => {
      const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const step = (p: tf.Tensor): tf.Tensor => LearnedRound.hardSigmoidStep(p, 1.1, -0.1)
      for (const f of [hard, soft, step, LearnedRound.positiveStep]) expect(of(f, special)).toEqual([Number.NaN, 1, 0])
    })
  })

it("the same bits on both backends", async () => {
  const p = Array.from({ length: 1000 }, (_, i) => (i - 500) / 37)
  const all = async (name: string) => {
    await tf.setBackend(name)
    return [hard, soft].flatMap((f) => [...of(f, p), ...slope(f, p)])
  }
  expect(await all("cpu")).toEqual(await all("wasm"))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import * as Loss from "../../src/train/Loss.ts"

/** A loss in plain numbers, by the definition. */
type Formula = (y: ReadonlyArray<number>, t: ReadonlyArray<number>) => number

const mean = (all: ReadonlyArray<number>): number => all.reduce((a, b) => a + b, 0) / all.length
const elementwise =
  (f: (y: number, t: number) => number): Formula =>
  (y, t) =>
    mean(y.map((x, i) => f(x, t[i] as number)))
const logSoftmax = (y: ReadonlyArray<number>): ReadonlyArray<number> => {
  const sum = Math.log(y.reduce((a, x) => a + Math.exp(x), 0))
  return y.map((x) => x - sum)
}
/** Over rows of three classes. */
const entropy =
  (smoothing: number): Formula =>
  (y, t) =>
    mean(
      Array.from({ length: y.length / 3 }, (_, row) => {
        const [a, b] = [y.slice(3 * row, 3 * row + 3), t.slice(3 * row, 3 * row + 3)]
        return -logSoftmax(a).reduce((sum, x, i) => sum + x * ((1 - smoothing) * (b[i] as number) + smoothing / 3), 0)
      })
    )

const y = [0.3, -1.2, 2.1, 0.7, -0.4, 1.6]
const signs = [1, -1, -1, -1, 1, -1]
const shares = [0.2, 0.5, 0.3, 1, 0, 0]
const labels = { shape: [2], values: Int32Array.of(0, 1), rows: [1, 0, 0, 0, 1, 0] }

const losses: ReadonlyArray<readonly [string, Loss.Loss, Formula, ReadonlyArray<number>]> = [
  ["meanSquaredError", Loss.meanSquaredError, elementwise((a, b) => (a - b) ** 2), signs],
  ["meanAbsoluteError", Loss.meanAbsoluteError, elementwise((a, b) => Math.abs(a - b)), signs],
  [
    "huber",
    Loss.huber(0.9),
    elementwise((a, b) => {
      const e = Math.abs(a - b)
      return e <= 0.9 ? e ** 2 / 2 : 0.9 * (e - 0.45)
    }),
    signs
  ],
  ["squaredHinge", Loss.squaredHinge, elementwise((a, b) => Math.max(0, 1 - a * b) ** 2), signs],
  [
    "binaryCrossEntropy",
    Loss.binaryCrossEntropy,
    elementwise((a, b) => -b * Math.log(1 / (1 + Math.exp(-a))) - (1 - b) * Math.log(1 / (1 + Math.exp(a)))),
    shares
  ],
  ["crossEntropy of shares", Loss.crossEntropy, entropy(0), shares]
]

describe.each([
  ["wasm", Backend.layer],
  ["cpu", Backend.cpu]
] as const)("losses on %s", (_, layer) => {
  beforeAll(() => Effect.runPromise(Effect.provide(Effect.void, layer)))

  /** Value and gradient, compared with the formula and its differences. */
  const check = (loss: Loss.Loss, formula: Formula, target: tf.Tensor, plain: ReadonlyArray<number>) => {
    const before = tf.memory().numTensors
    tf.tidy(() => {
      const output = tf.tensor2d(y, [2, 3])
      const { value, gradients } = Gradient.valueAndGradients(() => tf.mul(loss(output, target), 2), [output])
      expect(value.shape).toEqual([])
      expect(value.dataSync()[0]).toBeCloseTo(2 * formula(y, plain), 5)
      gradients[0]?.dataSync().forEach((slope, i) => {
        const [up, down] = [1e-5, -1e-5].map((h) =>
          formula(
            y.map((x, j) => (j === i ? x + h : x)),
            plain
          )
        )
        expect(slope).toBeCloseTo((2 * ((up as number) - (down as number))) / 2e-5, 4)
      })
    })
    expect(tf.memory().numTensors).toBe(before)
  }
  it.each(losses)("%s is its formula, and so is its gradient", (_, loss, formula, target) => {
    const t = tf.tensor2d([...target], [2, 3])
    check(loss, formula, t, target)
    t.dispose()
  })
  it.each([
    ["crossEntropy", Loss.crossEntropy, entropy(0), labels.rows],
    ["smoothedCrossEntropy", Loss.smoothedCrossEntropy(0.3), entropy(0.3), labels.rows],
    ["squaredHinge", Loss.squaredHinge, losses[3]?.[2] as Formula, labels.rows.map((x) => 2 * x - 1)]
  ] as const)("%s takes labels", (_, loss, formula, rows) => {
    const t = tf.tensor1d(labels.values, "int32")
    check(loss, formula, t, rows)
    t.dispose()
  })
  it.each([...losses, ["crossEntropy", Loss.crossEntropy, entropy(0), []] as const])("%s of NaN is NaN", (_, loss) =>
    tf.tidy(() => {
      const output = tf.tensor2d([Number.NaN, 1, 2], [1, 3])
      const targets = [tf.tensor2d([1, 1, 1], [1, 3]), tf.tensor1d([1], "int32")]
      const [own, label] = targets.map((target) =>
        loss === Loss.squaredHinge || loss === Loss.crossEntropy || target.rank === 2
          ? loss(output, target).dataSync()[0]
          : Number.NaN
      )
      expect([own, label]).toEqual([Number.NaN, Number.NaN])
    })
  )
  it("stays finite for large logits", () =>
    tf.tidy(() => {
      const far = tf.tensor2d([[1000, -1000]])
      expect(Loss.crossEntropy(far, tf.tensor1d([1], "int32")).dataSync()[0]).toBe(2000)
      expect(Loss.binaryCrossEntropy(far, tf.tensor2d([[0, 1]])).dataSync()[0]).toBe(1000)
    }))
  it("takes no label that is no class", () =>
    tf.tidy(() => {
      for (const loss of [Loss.crossEntropy, Loss.squaredHinge, Loss.smoothedCrossEntropy(0.1)])
        for (const label of [3, -1]) {
          const value = loss(tf.tensor2d(y, [2, 3]), tf.tensor1d([0, label], "int32")).dataSync()[0]
          expect(Number.isFinite(value)).toBe(false)
        }
    }))
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BatchNorm from "../../src/op/BatchNorm.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import { product, wholes } from "./NaiveConvolution.ts"

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

type Numbers = ReadonlyArray<number>
interface Given {
  readonly x: Numbers
  readonly scale: Numbers
  readonly offset: Numbers
}

/** In double precision. */
const momentsOf = (x: Numbers, c: number): { readonly mean: Numbers; readonly variance: Numbers } => {
  const columns = Array.from({ length: c }, (_, k) => x.filter((_, i) => i % c === k))
  const mean = columns.map((column) => column.reduce((a, b) => a + b, 0) / column.length)
  const variance = columns.map(
    (column, k) => column.reduce((sum, v) => sum + (v - (mean[k] as number)) ** 2, 0) / column.length
  )
  return { mean, variance }
}
const epsilon = 0.25
const normalized = ({ x, scale, offset }: Given): Numbers => {
  const c = scale.length
  const { mean, variance } = momentsOf(x, c)
  return x.map((v, i) => {
    const k = i % c
    const deviation = (v - (mean[k] as number)) / Math.sqrt((variance[k] as number) + epsilon)
    return deviation * (scale[k] as number) + (offset[k] as number)
  })
}

/** Central differences of `sum(y dy)` by one of the inputs. */
const slopes = (given: Given, by: keyof Given, dy: Numbers): Numbers => {
  const sum = (moved: Numbers): number =>
    normalized({ ...given, [by]: moved }).reduce((all, y, i) => all + y * (dy[i] as number), 0)
  const step = 1e-4
  return given[by].map((_, i) => {
    const moved = (by_: number): Numbers => given[by].map((v, j) => (i === j ? v + by_ : v))
    return (sum(moved(step)) - sum(moved(-step))) / (2 * step)
  })
}

const close = (actual: tf.Tensor | null | undefined, wanted: Numbers): void => {
  expect(actual?.size).toBe(wanted.length)
  for (const [i, a] of (actual as tf.Tensor).dataSync().entries()) {
    const b = wanted[i] as number
    expect(Math.abs(a - b)).toBeLessThan(2e-4 * (1 + Math.abs(b)))
  }
}

const byBatch = (x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor): tf.Tensor =>
  BatchNorm.byBatch(x, BatchNorm.moments(x), scale, offset, epsilon)

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("batch normalization on %s", (_, layer) => {
  beforeAll(() => start(layer))

  it("is its definition, with the gradients of finite differences", () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        (rows, c, seed) => {
          const shape = [...rows, c]
          const given = { x: wholes(product(shape), seed), scale: wholes(c, seed + 1), offset: wholes(c, seed + 2) }
          const dy = wholes(product(shape), seed + 3)
          tf.tidy(() => {
            const inputs = [tf.tensor([...given.x], shape, "float32"), tf.tensor1d([...given.scale], "float32")]
            const all = [...inputs, tf.tensor1d([...given.offset], "float32")]
            const [x, scale, offset] = all as [tf.Tensor, tf.Tensor, tf.Tensor]
            const wanted = momentsOf(given.x, c)
            const { mean, variance } = BatchNorm.moments(x)
            close(mean, wanted.mean)
            close(variance, wanted.variance)
            const y = byBatch(x, scale, offset)
            expect(y.shape).toEqual(shape)
            close(y, normalized(given))
            const cotangent = tf.tensor([...dy], shape, "float32")
            const { gradients } = Gradient.valueAndGradients(
              ([x, scale, offset]) =>
                tf.sum(tf.mul(byBatch(x as tf.Tensor, scale as tf.Tensor, offset as tf.Tensor), cotangent)),
              all
            )
            for (const [i, by] of (["x", "scale", "offset"] as const).entries())
              close(gradients[i], slopes(given, by, dy))
          })
        }
      ),
      { numRuns: 50 }
    ))

  it("as scale and offset does what the formula with given statistics does", () =>
    tf.tidy(() => {
      const [mean, variance] = [tf.tensor1d([1, -2]), tf.tensor1d([3.75, 0])]
      const { weight, bias } = BatchNorm.affine({ mean, variance }, tf.tensor1d([2, 3]), tf.tensor1d([0.5, 1]), epsilon)
      // 2 / sqrt(4), 3 / sqrt(0.25)
      close(weight, [1, 6])
      close(bias, [0.5 - 1, 1 + 12])
    }))

  it("of nothing is nothing, with gradients of nothing", () =>
    tf.tidy(() => {
      const all = [tf.zeros([0, 3, 2]), tf.ones([2]), tf.zeros([2])]
      const [x, scale, offset] = all as [tf.Tensor, tf.Tensor, tf.Tensor]
      expect([...BatchNorm.moments(x).mean.dataSync()]).toEqual([Number.NaN, Number.NaN])
      expect(byBatch(x, scale, offset).shape).toEqual([0, 3, 2])
      const { gradients } = Gradient.valueAndGradients(
        ([x, scale, offset]) => tf.sum(byBatch(x as tf.Tensor, scale as tf.Tensor, offset as tf.Tensor)),
        all
      )
      expect(gradients.map((g) => [g?.shape, ...(g as tf.Tensor).dataSync()])).toEqual([
        [[0, 3, 2]],
        [[2], 0, 0],
        [[2], 0, 0]
      ])
    }))

  it("NaN makes its channel NaN, and no other one", () =>
    tf.tidy(() => {
      const y = byBatch(
        tf.tensor2d([
          [Number.NaN, 1],
          [2, 1]
        ]),
        tf.ones([2]),
        tf.zeros([2])
      )
      expect([...y.dataSync()]).toEqual([Number.NaN, 0, Number.NaN, 0])
    }))

  it("of values that are all one: the offset, for epsilon keeps from dividing by 0", () =>
    tf.tidy(() => {
      const y = byBatch(tf.fill([5, 1], 3), tf.tensor1d([7]), tf.tensor1d([0.5]))
      expect([...y.dataSync()]).toEqual([0.5, 0.5, 0.5, 0.5, 0.5])
    }))
})

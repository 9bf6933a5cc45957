import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Resize from "../../src/op/Resize.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"
import { product, wholes } from "./NaiveConvolution.ts"

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

type Part = (i: number, input: number, output: number) => ReadonlyArray<readonly [j: number, weight: number]>

const nearest: Part = (i, input, output) => [[Math.floor((i * input) / output), 1]]
const onLine = (at: number, input: number): ReturnType<Part> => {
  const low = Math.floor(at)
  const high = Math.min(low + 1, input - 1)
  return [
    [low, 1 - (at - low)],
    [high, at - low]
  ]
}
const bilinear: Part = (i, input, output) => onLine(Math.max(0, ((i + 0.5) * input) / output - 0.5), input)
const aligned: Part = (i, input, output) => onLine(output === 1 ? 0 : (i * (input - 1)) / (output - 1), input)
const averages: Part = (i, input, output) => {
  const [from, to] = [Math.floor((i * input) / output), Math.ceil(((i + 1) * input) / output)]
  return Array.from({ length: to - from }, (_, k) => [from + k, 1 / (to - from)] as const)
}

const subjects: Readonly<Record<string, readonly [(x: tf.Tensor, size: Resize.Size) => tf.Tensor, Part]>> = {
  nearest: [Resize.nearest, nearest],
  bilinear: [(x, size) => Resize.bilinear(x, size), bilinear],
  "bilinear, corners aligned": [(x, size) => Resize.bilinear(x, size, true), aligned],
  averages: [Resize.averages, averages]
}

const size = fc.integer({ min: 1, max: 7 })
const sample = fc.record({
  batch: fc.integer({ min: 0, max: 2 }),
  from: fc.tuple(size, size),
  to: fc.tuple(size, size),
  channels: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer()
})

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("resizing on %s", (_, layer) => {
  beforeAll(() => start(layer))

  it.each(Object.entries(subjects))("%s is the weighted sum of its definition, with its gradient", (_, [op, part]) =>
    fc.assert(
      fc.property(sample, ({ batch, from: [h, w], to: [oh, ow], channels: c, seed }) => {
        const [shape, result] = [
          [batch, h, w, c],
          [batch, oh, ow, c]
        ]
        const [x, dy] = [wholes(product(shape), seed), wholes(product(result), seed + 1)]
        const [y, dx] = [dy.map(() => 0), x.map(() => 0)]
        for (let n = 0; n < batch; n++)
          for (let i = 0; i < oh; i++)
            for (let j = 0; j < ow; j++)
              for (const [p, down] of part(i, h, oh))
                for (const [q, across] of part(j, w, ow))
                  for (let k = 0; k < c; k++) {
                    const [to, at] = [((n * oh + i) * ow + j) * c + k, ((n * h + p) * w + q) * c + k]
                    y[to] = (y[to] as number) + down * across * (x[at] as number)
                    dx[at] = (dx[at] as number) + down * across * (dy[to] as number)
                  }
        tf.tidy(() => {
          const [image, cotangent] = [tf.tensor([...x], shape, "float32"), tf.tensor([...dy], result, "float32")]
          const value = op(image, [oh, ow])
          expect(value.shape).toEqual(result)
          const { gradients } = Gradient.valueAndGradients(
            ([x]) => tf.sum(tf.mul(op(x as tf.Tensor, [oh, ow]), cotangent)),
            [image]
          )
          for (const [actual, wanted] of [
            [value, y],
            [gradients[0] as tf.Tensor, dx]
          ] as const) {
            expect(actual.size).toBe(wanted.length)
            for (const [i, a] of actual.dataSync().entries())
              expect(Math.abs(a - (wanted[i] as number))).toBeLessThan(1e-4)
          }
        })
      }),
      { numRuns: 60 }
    )
  )

  it("nearest takes the exact place, at factors that are no floats", () =>
    tf.tidy(() => {
      const [input, output] = [2, 98]
      const x = tf.tensor([1, 2], [1, input, 1, 1])
      expect([...Resize.nearest(x, [output, 1]).dataSync()]).toEqual(
        Array.from({ length: output }, (_, i) => 1 + Math.floor((i * input) / output))
      )
      for (const [input, output] of [
        [7, 49],
        [3, 41],
        [29, 87],
        [100, 7]
      ] as const) {
        const row = tf.reshape(tf.range(0, input), [1, 1, input, 1])
        expect([...Resize.nearest(row, [1, output]).dataSync()]).toEqual(
          Array.from({ length: output }, (_, i) => Math.floor((i * input) / output))
        )
      }
    }))

  it("keeps NaN and infinities where they are taken from", () =>
    tf.tidy(() => {
      const x = tf.tensor([Number.NaN, 1, 2, Number.POSITIVE_INFINITY], [1, 2, 2, 1])
      const y = [...Resize.nearest(x, [2, 4]).dataSync()]
      const infinity = Number.POSITIVE_INFINITY
      expect(y).toEqual([Number.NaN, Number.NaN, 1, 1, 2, 2, infinity, infinity])
      expect(Resize.bilinear(x, [3, 3]).dataSync()[0]).toBeNaN()
      expect([...Resize.averages(x, [1, 2]).dataSync()]).toEqual([Number.NaN, infinity])
      const wide = tf.tensor([Number.NaN, 1, 2], [1, 1, 3, 1])
      expect(Resize.averages(wide, [1, 2]).dataSync()[0]).toBeNaN()
    }))

  it("leaves nothing but its answer", () => {
    const x = tf.ones([1, 3, 3, 2])
    const before = tf.memory().numTensors
    for (const [op] of Object.values(subjects)) tf.tidy(() => op(x, [5, 2])).dispose()
    expect(tf.memory().numTensors).toBe(before)
    x.dispose()
  })
})

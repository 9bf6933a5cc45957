import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as ConvolutionTransposed from "../../src/op/ConvolutionTransposed.ts"
import { arbitrary, compare, type Sample } from "./NaiveConvolution.ts"

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

/** `image` of the convolution is the result here, `output` what comes in. */
const sumsOf = ({ axes, batch, groups, channels }: Sample) => ({
  batch,
  groups,
  channels,
  output: axes.map(({ size }) => size),
  kernel: axes.map(({ kernel }) => kernel),
  strides: axes.map(({ stride }) => stride),
  dilations: axes.map(({ dilation }) => dilation),
  before: axes.map(({ pad }) => pad[0]),
  image: axes.map(({ size, kernel, stride, dilation, pad: [before, after], extra }) =>
    Math.max(0, (size - 1) * stride - before - after + (kernel - 1) * dilation + 1 + extra)
  )
})

const agrees = (sample: Sample): void => {
  const sums = sumsOf(sample)
  const options = {
    strides: sums.strides,
    dilations: sums.dilations,
    pad: sample.axes.map(({ pad }) => pad),
    outputPadding: sample.axes.map(({ extra }) => extra),
    groups: sums.groups
  }
  compare((x, filter, bias) => ConvolutionTransposed.convTranspose(x, filter, options, bias), sums, sample.seed, true)
}

const plainly = { strides: [2], pad: [[0, 0]], outputPadding: [0], dilations: [1] } as const

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("transposed convolutions on %s", (_, layer) => {
  beforeAll(() => start(layer))

  it("are the sums of their definition, with all three gradients", () =>
    fc.assert(fc.property(arbitrary, agrees), { numRuns: 200 }))

  it("by hand: each element lays the filter at its place", () =>
    tf.tidy(() => {
      const x = tf.tensor([1, 2], [1, 2, 1])
      const filter = tf.tensor([1, 10, 100], [3, 1, 1])
      const lay = (options: Partial<ConvolutionTransposed.Options>) => [
        ...ConvolutionTransposed.convTranspose(x, filter, { ...plainly, ...options }).dataSync()
      ]
      expect(lay({})).toEqual([1, 10, 102, 20, 200])
      expect(lay({ pad: [[1, 1]] })).toEqual([10, 102, 20])
      expect(lay({ outputPadding: [1] })).toEqual([1, 10, 102, 20, 200, 0])
      // the stride is wider than the filter: nothing in between
      expect(lay({ strides: [4] })).toEqual([1, 10, 100, 0, 2, 20, 200])
      expect(lay({ dilations: [2] })).toEqual([1, 0, 12, 0, 120, 0, 200])
      // padding below 0 adds zeros, padding wider than the filter's reach cuts it off
      expect(lay({ pad: [[-1, -2]] })).toEqual([0, 1, 10, 102, 20, 200, 0, 0])
      expect(lay({ pad: [[4, 0]] })).toEqual([200])
      expect(lay({ pad: [[3, 3]] })).toEqual([])
    }))

  it("of nothing is the bias alone", () =>
    tf.tidy(() => {
      const [filter, bias] = [tf.ones([3, 2, 1]), tf.tensor([4, 5])]
      const y = ConvolutionTransposed.convTranspose(tf.zeros([1, 0, 1]), filter, { ...plainly, pad: [[-1, 0]] }, bias)
      expect([y.shape, ...y.dataSync()]).toEqual([[1, 2, 2], 4, 5, 4, 5])
      expect(ConvolutionTransposed.convTranspose(tf.zeros([0, 3, 1]), filter, plainly, bias).shape).toEqual([0, 7, 2])
    }))

  it("NaN reaches the places that meet it", () =>
    tf.tidy(() => {
      const x = tf.tensor([Number.NaN, 1], [1, 2, 1])
      const y = ConvolutionTransposed.convTranspose(x, tf.ones([2, 1, 1]), plainly)
      expect([...y.dataSync()]).toEqual([Number.NaN, Number.NaN, 1, 1])
    }))

  it("other ranks and channels are refused, and nothing is left", () => {
    const before = tf.memory().numTensors
    const refusal = (x: Array<number>, filter: Array<number>, bias?: Array<number>, groups = 1): unknown => {
      try {
        tf.tidy(() =>
          ConvolutionTransposed.convTranspose(
            tf.ones(x),
            tf.ones(filter),
            { ...plainly, groups },
            bias && tf.ones(bias)
          )
        )
        return undefined
      } catch (error) {
        return error
      }
    }
    const what = "ConvolutionTransposed.convTranspose"
    expect(refusal([2, 4], [3, 2, 4])).toMatchObject({ what: `${what}, x`, expected: "[n, w, 4]", actual: [2, 4] })
    expect(refusal([1, 4, 3], [3, 2, 4])).toMatchObject({ what: `${what}, x`, actual: [1, 4, 3] })
    expect(refusal([1, 4, 3], [2, 3])).toMatchObject({ what: `${what}, filter`, actual: [2, 3] })
    expect(refusal([1, 4, 3], [2, 1, 3], undefined, 2)).toMatchObject({ what: `${what}, filter`, actual: [2, 1, 3] })
    expect(refusal([1, 4, 4], [2, 1, 4], [3], 2)).toMatchObject({ what: `${what}, bias`, expected: "[2]", actual: [3] })
    expect(tf.memory().numTensors).toBe(before)
  })
})

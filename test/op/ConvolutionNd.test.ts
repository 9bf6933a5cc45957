import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as ConvolutionNd from "../../src/op/ConvolutionNd.ts"
import { arbitrary, compare, type Sample } from "./NaiveConvolution.ts"

type Pair = readonly [number, number]
type Triple = readonly [number, number, number]

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

const sumsOf = ({ axes, batch, groups, channels }: Sample) => ({
  batch,
  groups,
  channels,
  image: axes.map(({ size }) => size),
  kernel: axes.map(({ kernel }) => kernel),
  strides: axes.map(({ stride }) => stride),
  dilations: axes.map(({ dilation }) => dilation),
  before: axes.map(({ pad }) => pad[0]),
  output: axes.map(({ size, kernel, stride, dilation, pad: [before, after] }) =>
    Math.max(0, Math.floor((size + before + after - (kernel - 1) * dilation - 1) / stride) + 1)
  )
})

/** One or three axes. */
const convolution =
  ({ axes, groups }: Sample) =>
  (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor): tf.Tensor => {
    const [pads, strides, dilations] = [
      axes.map(({ pad }) => pad) as unknown as readonly [Pair, Pair, Pair],
      axes.map(({ stride }) => stride) as unknown as Triple,
      axes.map(({ dilation }) => dilation) as unknown as Triple
    ]
    return axes.length === 1
      ? ConvolutionNd.conv1d(x, filter, { stride: strides[0], pad: pads[0], dilation: dilations[0], groups }, bias)
      : ConvolutionNd.conv3d(x, filter, { strides, pad: pads, dilations, groups }, bias)
  }

const agrees = (sample: Sample): void => compare(convolution(sample), sumsOf(sample), sample.seed, false)

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("convolutions of sequences and volumes on %s", (_, layer) => {
  beforeAll(() => start(layer))

  it("are the sums of their definition, with all three gradients", () =>
    fc.assert(
      fc.property(
        arbitrary.filter(({ axes }) => axes.length !== 2),
        agrees
      ),
      { numRuns: 150 }
    ))

  it('"same" keeps the length divided by the stride, the odd zero at the end', () =>
    tf.tidy(() => {
      const x = tf.tensor([1, 2, 3, 4], [1, 4, 1])
      const y = ConvolutionNd.conv1d(x, tf.ones([2, 1, 1]), { stride: 1, pad: "same", dilation: 1 })
      expect([...y.dataSync()]).toEqual([3, 5, 7, 4])
      const volume = tf.tensor([1, 2, 3, 4, 5], [1, 5, 1, 1, 1])
      const lie = { strides: [2, 1, 1], pad: "same", dilations: [1, 1, 1] } as const
      expect([...ConvolutionNd.conv3d(volume, tf.ones([2, 2, 2, 1, 1]), lie).dataSync()]).toEqual([3, 7, 5])
    }))

  it("one number pads all sides alike", () =>
    tf.tidy(() => {
      const x = tf.ones([1, 2, 2, 2, 1])
      const lie = { strides: [1, 1, 1], dilations: [1, 1, 1] } as const
      const y = ConvolutionNd.conv3d(x, tf.ones([3, 3, 3, 1, 1]), { ...lie, pad: 1 })
      expect([y.shape, ...y.dataSync()]).toEqual([[1, 2, 2, 2, 1], 8, 8, 8, 8, 8, 8, 8, 8])
      const z = ConvolutionNd.conv1d(tf.ones([1, 2, 1]), tf.ones([3, 1, 1]), { stride: 1, pad: 1, dilation: 1 })
      expect([...z.dataSync()]).toEqual([2, 2])
    }))

  it("NaN reaches the windows that meet it, and no others", () =>
    tf.tidy(() => {
      const lie = { strides: [1, 1, 1], pad: "valid", dilations: [1, 1, 1] } as const
      const x = tf.tensor([1, Number.NaN, 2, 3], [1, 4, 1, 1, 1])
      expect([...ConvolutionNd.conv3d(x, tf.ones([2, 1, 1, 1, 1]), lie).dataSync()]).toEqual([
        Number.NaN,
        Number.NaN,
        5
      ])
      const row = tf.reshape(x, [1, 4, 1])
      const y = ConvolutionNd.conv1d(row, tf.ones([2, 1, 1]), { stride: 1, pad: "valid", dilation: 1 })
      expect([...y.dataSync()]).toEqual([Number.NaN, Number.NaN, 5])
    }))

  it("other ranks and channels are refused by their own names, and nothing is left", () => {
    const before = tf.memory().numTensors
    const sequence = { stride: 1, pad: "valid", dilation: 1 } as const
    const volume = { strides: [1, 1, 1], pad: "valid", dilations: [1, 1, 1] } as const
    const refusal = (f: () => tf.Tensor): unknown => {
      try {
        tf.tidy(f)
        return undefined
      } catch (error) {
        return error
      }
    }
    const [one, two] = ["ConvolutionNd.conv1d", "ConvolutionNd.conv3d"]
    const refused = { _tag: "ShapeMismatch" }
    expect(refusal(() => ConvolutionNd.conv1d(tf.ones([4, 2]), tf.ones([1, 2, 3]), sequence))).toMatchObject({
      ...refused,
      what: `${one}, x`,
      expected: "[n, w, 2]",
      actual: [4, 2]
    })
    expect(refusal(() => ConvolutionNd.conv1d(tf.ones([1, 4, 3]), tf.ones([1, 2, 3]), sequence))).toMatchObject({
      ...refused,
      expected: "[n, w, 2]",
      actual: [1, 4, 3]
    })
    expect(refusal(() => ConvolutionNd.conv1d(tf.ones([1, 4, 3]), tf.ones([2, 3]), sequence))).toMatchObject({
      ...refused,
      what: `${one}, filter`,
      actual: [2, 3]
    })
    expect(
      refusal(() => ConvolutionNd.conv1d(tf.ones([1, 4, 4]), tf.ones([1, 2, 3]), { ...sequence, groups: 2 }))
    ).toMatchObject({ ...refused, what: `${one}, filter`, actual: [1, 2, 3] })
    expect(refusal(() => ConvolutionNd.conv3d(tf.ones([1, 4, 4, 2]), tf.ones([1, 1, 1, 2, 3]), volume))).toMatchObject({
      ...refused,
      what: `${two}, x`,
      expected: "[n, d, h, w, 2]",
      actual: [1, 4, 4, 2]
    })
    expect(
      refusal(() => ConvolutionNd.conv3d(tf.ones([1, 4, 4, 1, 2]), tf.ones([1, 1, 1, 2, 3]), volume, tf.ones([2])))
    ).toMatchObject({ ...refused, what: `${two}, bias`, expected: "[3]", actual: [2] })
    expect(tf.memory().numTensors).toBe(before)
  })
})

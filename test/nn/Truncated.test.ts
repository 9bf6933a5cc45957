import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import { TruncTo8bit } from "../../src/quant/ScaledInt.ts"
import { product, wholes } from "../op/NaiveConvolution.ts"
import { answer, near, numbers, onBackends, owned, quantized, refusal, scoped } from "./Scoped.ts"

/** Images of integers, in steps of 1 / 128. */
const images = (shape: Array<number>) =>
  Effect.gen(function* () {
    const identity = yield* Activation.quantIdentity({ returnQuantTensor: true })
    const x = yield* owned(() =>
      tf.tensor(
        [...wholes(product(shape), 5)].map((v) => v / 9),
        shape,
        "float32"
      )
    )
    return yield* quantized(identity, x)
  })

/** Where the part i of an axis lies that is cut into as even parts as there are. */
const part = (i: number, input: number, output: number): readonly [number, number] => [
  Math.floor((i * input) / output),
  Math.ceil(((i + 1) * input) / output)
]

const floorTo = (x: number, bits: number): number => Math.floor(x / 2 ** bits)

onBackends("pools of integers", () => {
  scoped("average pool: sums of the windows, cut by as many bits as they grew", () =>
    Effect.gen(function* () {
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
      const x = yield* images([1, 4, 6, 2])
      const y = yield* quantized(pool, x)
      const at = (h: number, w: number, c: number): number => x.integers[(h * 6 + w) * 2 + c] as number
      const wanted = [0, 2].flatMap((h) =>
        [0, 2, 4].flatMap((w) =>
          [0, 1].map((c) => floorTo(at(h, w, c) + at(h + 1, w, c) + at(h, w + 1, c) + at(h + 1, w + 1, c), 2))
        )
      )
      expect([y.value.shape, y.integers, numbers(y.bitWidth)]).toEqual([[1, 2, 3, 2], wanted, [8]])
    })
  )

  scoped("average pool without a cut: the sums themselves, on a finer grid", () =>
    Effect.gen(function* () {
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 3], strides: [1, 2], truncQuant: null })
      const x = yield* images([2, 3, 5, 1])
      const y = yield* quantized(pool, x)
      const wanted = [0, 1].flatMap((n) =>
        [0, 1].flatMap((h) =>
          [0, 2].map((w) =>
            [0, 1].reduce(
              (sum, i) =>
                sum + [0, 1, 2].reduce((row, j) => row + (x.integers[(n * 3 + h + i) * 5 + w + j] as number), 0),
              0
            )
          )
        )
      )
      expect(y.integers).toEqual(wanted)
      near(numbers(y.scale), [1 / 128 / 6], 8)
      const same = yield* quantized(Pooling.avgPool2d({ size: [2, 3], strides: [1, 2] }), x)
      expect([same.integers, numbers(same.scale)]).toEqual([wanted, numbers(y.scale)])
    })
  )

  scoped("adaptive average pool: means over the parts of its definition", () =>
    Effect.gen(function* () {
      const x = yield* images([1, 6, 4, 1])
      const at = (h: number, w: number): number => x.integers[h * 4 + w] as number
      const sum = (i: number, j: number, [oh, ow]: readonly [number, number]): number => {
        const [[top, bottom], [left, right]] = [part(i, 6, oh), part(j, 4, ow)]
        let all = 0
        for (let h = top; h < bottom; h++) for (let w = left; w < right; w++) all += at(h, w)
        return all
      }
      const even = yield* Truncated.truncAdaptiveAvgPool2d({ outputSize: [3, 2], truncQuant: null })
      const sums = [0, 1, 2].flatMap((i) => [0, 1].map((j) => sum(i, j, [3, 2])))
      expect((yield* quantized(even, x)).integers).toEqual(sums)
      // cut to 8 bits, the means are integers again, each within a step
      const cut = yield* Truncated.truncAdaptiveAvgPool2d({ outputSize: [4, 3] })
      const y = yield* quantized(cut, x)
      const means = [0, 1, 2, 3].flatMap((i) =>
        [0, 1, 2].map((j) => {
          const [[top, bottom], [left, right]] = [part(i, 6, 4), part(j, 4, 3)]
          return sum(i, j, [4, 3]) / ((bottom - top) * (right - left)) / 128
        })
      )
      const values = numbers(y.value)
      const step = numbers(y.scale)[0] as number
      expect(values.length).toBe(means.length)
      for (const [k, mean] of means.entries()) expect(Math.abs((values[k] as number) - mean)).toBeLessThan(step + 1e-6)
      // means over parts of several sizes lie on no grid that they share
      const uneven = yield* Truncated.truncAdaptiveAvgPool2d({ outputSize: [4, 3], truncQuant: null })
      expect(yield* refusal(uneven, x)).toMatchObject({
        _tag: "MissingInput",
        quantizer: "the output of TruncAdaptiveAvgPool2d, asked for as a quant tensor"
      })
      const floats = yield* Truncated.truncAdaptiveAvgPool2d({
        outputSize: [4, 3],
        truncQuant: null,
        returnQuantTensor: false
      })
      near(yield* answer(floats, x.value), means)
    })
  )

  scoped("an accumulator cuts integers to fewer bits", () =>
    Effect.gen(function* () {
      const cut = yield* Truncated.quantAccumulator({ truncQuant: TruncTo8bit, trunc: { bitWidth: 4 } })
      const x = yield* images([1, 4, 3, 1])
      const y = yield* quantized(cut, x)
      expect([y.integers, numbers(y.bitWidth)]).toEqual([x.integers.map((v) => floorTo(v, 4)), [4]])
      near(numbers(y.scale), [16 / 128], 8)
      const floats = yield* Truncated.quantAccumulator({ truncQuant: null, returnQuantTensor: false })
      expect(yield* answer(floats, x)).toEqual(numbers(x.value))
    })
  )

  scoped("what has no integers cannot be cut, unless nothing is quantized", () =>
    Effect.gen(function* () {
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
      const x = yield* owned(() => tf.tensor4d([1, 2, 3, 6], [1, 2, 2, 1]))
      expect(yield* refusal(pool, x)).toMatchObject({ _tag: "MissingInput", missing: ["scale"] })
      expect(yield* answer(pool, x, Layer.without(Layer.evaluation))).toEqual([3])
    })
  )

  scoped("other than images are refused", () =>
    Effect.gen(function* () {
      const x = yield* owned(() => tf.ones([2, 2, 1]))
      const refused = (kind: string) => ({
        _tag: "ShapeMismatch",
        what: `the input of ${kind}`,
        expected: "[n, h, w, c]",
        actual: [2, 2, 1]
      })
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [1, 1] })
      expect(yield* refusal(pool, x)).toMatchObject(refused("TruncAvgPool2d"))
      const adaptive = yield* Truncated.truncAdaptiveAvgPool2d({ outputSize: [1, 1] })
      expect(yield* refusal(adaptive, x)).toMatchObject(refused("TruncAdaptiveAvgPool2d"))
      expect(yield* refusal(Pooling.maxPool2d({ size: [1, 1] }), x)).toMatchObject(refused("MaxPool2d"))
      expect(yield* refusal(Pooling.avgPool2d({ size: [1, 1] }), x)).toMatchObject(refused("AvgPool2d"))
    })
  )

  scoped("sizes that cannot be are refused when the layer is made", () =>
    Effect.gen(function* () {
      for (const size of [0, -1, 1.5, Number.NaN]) {
        const refused = (option: string) => ({ _tag: "InvalidOptions", option })
        expect(yield* Effect.flip(Truncated.truncAvgPool2d({ kernelSize: [2, size] }))).toMatchObject(
          refused("kernelSize")
        )
        expect(yield* Effect.flip(Truncated.truncAvgPool2d({ kernelSize: [2, 2], strides: [size, 1] }))).toMatchObject(
          refused("strides")
        )
        expect(yield* Effect.flip(Truncated.truncAdaptiveAvgPool2d({ outputSize: [size, 1] }))).toMatchObject(
          refused("outputSize")
        )
      }
    })
  )

  scoped("max pool keeps the format, and NaN", () =>
    Effect.gen(function* () {
      const x = yield* images([1, 2, 4, 1])
      const y = yield* quantized(Pooling.maxPool2d({ size: [2, 2] }), x)
      const i = x.integers as ReadonlyArray<number> & Record<number, number>
      expect(y.integers).toEqual([
        Math.max(i[0] as number, i[1] as number, i[4] as number, i[5] as number),
        Math.max(i[2] as number, i[3] as number, i[6] as number, i[7] as number)
      ])
      expect([numbers(y.scale), numbers(y.bitWidth)]).toEqual([numbers(x.scale), numbers(x.bitWidth)])
      const unknown = yield* owned(() => tf.tensor4d([1, Number.NaN, 2, 3], [1, 1, 4, 1]))
      expect(yield* answer(Pooling.maxPool2d({ size: [1, 2] }), unknown)).toEqual([Number.NaN, 3])
      const empty = yield* owned(() => tf.zeros([0, 2, 2, 1]))
      expect(yield* answer(Pooling.maxPool2d({ size: [2, 2] }), empty)).toEqual([])
    })
  )

  scoped("the gradient of a cut pool is that of the average", () =>
    Effect.gen(function* () {
      const pool = yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
      const identity = yield* Activation.quantIdentity({ returnQuantTensor: true })
      const x = yield* owned(() => tf.tensor4d([0.1, 0.2, -0.3, 0.4], [1, 2, 2, 1]))
      const dx = yield* owned(() =>
        tf.tidy(() => {
          const states = new Map([...Layer.read(identity), ...Layer.read(pool)])
          return tf.grad((x) => {
            const [q, after] = identity.apply(states, x, Layer.evaluation)
            const [y] = pool.apply(after, q, Layer.evaluation)
            return tf.sum((y as { readonly value: tf.Tensor }).value)
          })(x)
        })
      )
      expect(numbers(dx)).toEqual([0.25, 0.25, 0.25, 0.25])
    })
  )
})

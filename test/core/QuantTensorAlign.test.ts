import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, ints, made, numbers, onBackends } from "./QuantTensors.ts"

const tidily = (body: () => void) => () => {
  const before = tf.memory().numTensors
  tf.tidy(body)
  expect(tf.memory().numTensors).toBe(before)
}
const aligned = (x: QuantTensor.Value, grid: QuantTensor.Value): QuantTensor.QuantTensor =>
  Result.getOrThrow(QuantTensor.alignScales(x, grid))

onBackends("alignScales", () => {
  it(
    "takes the nearest values of the grid, ties to even, and the ends of its range beyond",
    tidily(() => {
      const grid = made([1, 2], [2], { scale: 0.5, bits: 4, origin: "grid" })
      const x = made([1, 3, 5, -7, 100, -100], [6], { scale: 0.25, origin: "other" })
      const y = aligned(x, grid)
      expect(numbers(y)).toEqual([0, 1, 1, -2, 3.5, -4])
      expect(ints(y)).toEqual([0, 2, 2, -4, 7, -8])
      expect([y.scale.dataSync()[0], y.bitWidth.dataSync()[0], y.signed]).toEqual([0.5, 4, true])
      expect(y.origin).toBe("alignScales(other, grid)")
      expect(QuantTensor.isValid(y)).toBe(true)
    })
  )

  it(
    "respects zero-points, sign, and a scale for each channel; a plain value is quantized",
    tidily(() => {
      const unsigned = made([0, 3], [2], { scale: 0.5, zeroPoint: 2, bits: 2, signed: false })
      expect(numbers(aligned(tf.tensor1d([-9, -0.6, 0.3, 9]), unsigned))).toEqual([-1, -0.5, 0.5, 0.5])
      const channels = made([1, 1], [1, 2], { scale: tf.tensor2d([0.5, 2], [1, 2]) })
      expect(numbers(aligned(tf.tensor2d([1.2, 1.2, -3, -3], [2, 2]), channels))).toEqual([1, 2, -3, -4])
      const binary = made([1, -1], [2], { scale: 0.5, bits: 1 })
      expect(numbers(aligned(tf.tensor1d([0.1, -3, 0]), binary))).toEqual([0.5, -0.5, 0.5])
    })
  )

  it(
    "makes an addition of different scales work, which fails with both origins before",
    tidily(() => {
      const [a, b] = [made([2, 4], [2], { scale: 0.5, origin: "a" }), made([3, 6], [2], { scale: 0.25, origin: "b" })]
      const failed = QuantTensor.add(a, b)
      expect(Result.isFailure(failed) && failed.failure).toMatchObject({
        _tag: "ScaleMismatch",
        sides: [
          { origin: "a", has: "0.5" },
          { origin: "b", has: "0.25" }
        ]
      })
      expect(Result.isFailure(failed) && failed.failure.message).toContain("alignScales")
      const sum = Result.getOrThrow(QuantTensor.add(a, aligned(b, a))) as QuantTensor.QuantTensor
      expect(numbers(sum)).toEqual([2, 3.5])
      expect(QuantTensor.isValid(sum)).toBe(true)
    })
  )

  it(
    "is its own fixed point, and leaves a value of the grid as it is",
    tidily(() => {
      const grid = made([-8, 0, 7], [3], { bits: 4 })
      const once = aligned(grid, grid)
      expect(numbers(once)).toEqual(numbers(grid))
      expect(numbers(aligned(once, grid))).toEqual(numbers(once))
    })
  )

  it(
    "passes the gradient within the range, and NaN; infinities become the ends",
    tidily(() => {
      const grid = made([1], [1], { scale: 0.5, bits: 4 })
      const slope = tf.grad((x) => aligned(x, grid).value)(tf.tensor1d([0.3, 3.4, 9, -9]))
      expect(numbers(slope)).toEqual([1, 1, 0, 0])
      const odd = aligned(tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]), grid)
      expect(numbers(odd)).toEqual([Number.NaN, 3.5, -4])
    })
  )

  it(
    "owns its tensors",
    tidily(() => {
      const [x, grid] = [made([1, 2], [2]), made([1, 2], [2], { scale: 0.25 })]
      const before = tf.memory().numTensors
      const y = aligned(x, grid)
      expect(tf.memory().numTensors).toBe(before + 4)
      QuantTensor.dispose(y)
      expect([numbers(x), numbers(grid)]).toEqual([
        [0.5, 1],
        [0.25, 0.5]
      ])
    })
  )

  it(
    "fails where the grid is none of integers, or has channels that the value lacks",
    tidily(() => {
      const x = made([1, 2], [2], { origin: "x" })
      const float = { ...made([1, 2], [2], { origin: "mini" }), float: e4m3 }
      const cases = [
        [float, { _tag: "FormatMismatch", property: "kind", sides: [{ has: "integers" }, { has: "minifloats" }] }],
        [x.value, { _tag: "FormatMismatch", sides: [{ origin: "x" }, { origin: undefined, has: "a plain value" }] }],
        [made([1, 2, 3], [3], { scale: tf.tensor1d([1, 2, 3]) }), { _tag: "ShapeMismatch", actual: [2] }]
      ] as const
      for (const [grid, expected] of cases) {
        const failed = QuantTensor.alignScales(x, grid)
        expect(Result.isFailure(failed) && failed.failure).toMatchObject(expected)
      }
    })
  )
})

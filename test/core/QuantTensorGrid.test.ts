import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { e4m3, failure, ints, leavesNothing, made, numbers, ok, onBackends } from "./QuantTensors.ts"

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

onBackends("the grid", () => {
  it("integers come back, whatever the scale and zero-point", () => {
    const one = fc.record({
      whole: fc.array(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }), { minLength: 1, maxLength: 6 }),
      scale: fc.float({ min: 2 ** -20, max: 2 ** 10, noNaN: true }),
      zeroPoint: fc.integer({ min: -9, max: 9 })
    })
    fc.assert(
      fc.property(one, ({ whole, scale, zeroPoint }) =>
        tf.tidy(() => {
          const x = made(whole, [whole.length], { scale, zeroPoint, bits: 16 })
          expect(numbers(ok(QuantTensor.checkedInt(x)))).toEqual(whole)
          expect([ints(x), numbers(QuantTensor.integers(x)), numbers(QuantTensor.saturatedInt(x))]).toEqual([
            whole,
            whole,
            whole
          ])
          expect(QuantTensor.checkedInt(x)).toMatchObject({ success: { dtype: "int32" } })
        })
      ),
      { numRuns: 50 }
    )
  })

  it("a value off the grid or out of range is refused, with the reason and who made it", () =>
    void tf.tidy(() => {
      const x = made([1, 2], [2], { bits: 4, origin: "conv1.output" })
      const reasons: ReadonlyArray<readonly [QuantTensor.QuantTensor, string]> = [
        [{ ...x, value: tf.tensor1d([0.5, 0.65]) }, "element 1 lies at 1.2999999523162842 steps, off the grid"],
        [{ ...x, value: tf.tensor1d([0.5, inf]) }, "element 1 lies at Infinity steps, off the grid"],
        [{ ...x, value: tf.tensor1d([nan, 1]) }, "it has NaN, or a scale of 0"],
        [{ ...x, value: tf.tensor1d([0, 0]), scale: tf.scalar(0) }, "it has NaN, or a scale of 0"],
        [made([-9, 7], [2], { bits: 4 }), "its integers reach from -9 to 7, which 4 signed bits do not hold"],
        [
          made([0, 16], [2], { bits: 4, signed: false }),
          "its integers reach from 0 to 16, which 4 unsigned bits do not hold"
        ],
        [
          { ...x, scale: tf.tensor1d([1, 2, 3]) },
          "a scale or zero-point of shape [3] does not fit a value of shape [2]"
        ]
      ]
      for (const [wrong, reason] of reasons) {
        expect(failure(QuantTensor.checked(wrong))).toMatchObject({ _tag: "InvalidQuantTensor", reason })
        expect(failure(QuantTensor.checkedInt(wrong))).toMatchObject({ _tag: "InvalidQuantTensor", reason })
        expect(QuantTensor.isValid(wrong)).toBe(false)
      }
      const { message } = failure(QuantTensor.checked({ ...x, value: tf.tensor1d([8, 8]) }))
      expect(message).toBe(
        '"conv1.output" has no integers of its format: its integers reach from 16 to 16, which 4 signed bits do not hold; ' +
          "quantize the value again, or take the nearest integers with QuantTensor.saturatedInt."
      )
    }))

  it("the nearest integers of the format, ties to the even one; NaN is 0 there", () =>
    void tf.tidy(() => {
      const x = { ...made([0], [1], { bits: 4 }), value: tf.tensor1d([-9, 9, 0.25, 0.75, -0.25, -0.75, nan, inf]) }
      expect(numbers(QuantTensor.saturatedInt(x))).toEqual([-8, 7, 0, 2, 0, -2, 0, 7])
      const moved = { ...x, zeroPoint: tf.scalar(3), signed: false }
      expect(numbers(QuantTensor.saturatedInt(moved))).toEqual([0, 15, 4, 4, 2, 2, 0, 15])
    }))

  it("one bit: -1 and 1, constant or not, or -1 and 0, not 0 alone; unsigned: 0 and 1", () =>
    void tf.tidy(() => {
      const valid = (whole: ReadonlyArray<number>, signed = true) =>
        QuantTensor.isValid(made(whole, [whole.length], { bits: 1, signed }))
      expect([valid([1, -1]), valid([1, 1]), valid([-1, 0]), valid([0])]).toEqual([true, true, true, false])
      expect([valid([1, 0]), valid([1, -1, 0]), valid([2, 1])]).toEqual([false, false, false])
      expect([valid([0, 1], false), valid([1, -1], false)]).toEqual([true, false])
      expect([QuantTensor.isBinary(made([1], [1], { bits: 1 })), QuantTensor.isBinary(made([1], [1]))]).toEqual([
        true,
        false
      ])
    }))

  it("gradients of the integers: straight through the rounding", () =>
    void tf.tidy(() => {
      const x = made([1, -3], [2], { scale: 0.5 })
      const [dvalue, dscale] = tf.grads((value: tf.Tensor, scale: tf.Tensor) =>
        tf.mul(QuantTensor.integers({ ...x, value, scale }), tf.tensor1d([1, 10]))
      )([x.value, x.scale])
      expect(numbers(dvalue as tf.Tensor)).toEqual([2, 20])
      expect(numbers(dscale as tf.Tensor)).toEqual([-(0.5 * 1 - 1.5 * 10) / 0.25])
    }))

  it("which numbers a format contains", () =>
    void tf.tidy(() => {
      const x = made([1], [1], { bits: 4 })
      const has = (y: number, of: QuantTensor.QuantTensor = x) => QuantTensor.contains(of, y)
      expect([has(0), has(3.5), has(-4), has(4), has(0.3), has(nan)]).toEqual([true, true, true, false, false, false])
      const channels = { ...x, scale: tf.tensor2d([[0.5], [0.2]]) }
      expect([has(1, channels), has(0.5, channels)]).toEqual([true, false])
      const float = { ...x, float: e4m3 }
      expect([has(0, float), has(0.5 * 15, float), has(0.5 * 17, float)]).toEqual([true, true, false])
      expect(has(0, { ...x, zeroPoint: tf.scalar(0.5) })).toBe(false)
    }))

  it("from numbers, with another value, without a gradient", () => {
    const about = { scale: 0.25, zeroPoint: 1, bitWidth: 4, signed: true, training: false, origin: "by hand" }
    leavesNothing(
      () => [tf.tensor1d([0.5, -0.25])],
      (value) => QuantTensor.fromNumbers(value as unknown as tf.Tensor, about)
    )
    leavesNothing(
      () => [made([1], [1]), tf.tensor1d([2])],
      (x, value) => QuantTensor.withValue(x as QuantTensor.QuantTensor, value as unknown as tf.Tensor)
    )
    tf.tidy(() => {
      const x = QuantTensor.fromNumbers(tf.tensor1d([0.5, -0.25]), about)
      expect([ints(x), x.origin]).toEqual([[3, 0], "by hand"])
      expect(ints(QuantTensor.withValue(x, tf.tensor1d([0.25])))).toEqual([2])
      const slope = tf.grad((value: tf.Tensor) =>
        tf.add(QuantTensor.dequantized(QuantTensor.detached({ ...x, value })), tf.mul(value, 0))
      )
      expect(numbers(slope(x.value))).toEqual([0, 0])
      expect(QuantTensor.dequantizing((a) => tf.sum(a as tf.Tensor))(x).dataSync()[0]).toBe(0.25)
    })
  })

  it("asking leaves nothing behind", () => {
    const x = made([1, -2], [2])
    const before = tf.memory().numTensors
    QuantTensor.isValid(x)
    QuantTensor.contains(x, 1)
    QuantTensor.contains({ ...x, float: e4m3 }, 1)
    QuantTensor.sameScale(x, x)
    failure(QuantTensor.checked({ ...x, signed: false }))
    expect(tf.memory().numTensors).toBe(before)
    QuantTensor.dispose(x)
  })
})

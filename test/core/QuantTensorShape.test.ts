import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import { failure, ints, leavesNothing, made, numbers, ok, onBackends, quantized } from "./QuantTensors.ts"

/** Shapes, and along which axes the scale and the zero-point vary. */
const layout = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  scaled: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  moved: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
  seed: fc.nat(1000)
})
interface Layout {
  readonly shape: ReadonlyArray<number>
  readonly scaled: ReadonlyArray<boolean>
  readonly moved: ReadonlyArray<boolean>
  readonly seed: number
}
const sizeOf = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

/** Integers from a seed, with a different scale and zero-point for every place along the chosen axes. */
const laidOut = ({ shape, scaled, moved, seed }: Layout): QuantTensor.QuantTensor => {
  const along = (axes: ReadonlyArray<boolean>) => shape.map((size, i) => (axes[i] ? size : 1))
  const filled = (axes: ReadonlyArray<number>, f: (i: number) => number) =>
    tf.tensor(
      Array.from({ length: sizeOf(axes) }, (_, i) => f(i)),
      [...axes]
    )
  return made(
    Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 37 + seed) % 200) - 100),
    shape,
    { scale: filled(along(scaled), (i) => 0.5 + 0.25 * i), zeroPoint: filled(along(moved), (i) => i - 1) }
  )
}

/** An operation on a value keeps what the same operation on its integers gives, and stays valid. */
const keepsIntegers = (
  given: Layout,
  f: (x: QuantTensor.Value) => QuantTensor.Value | ReadonlyArray<QuantTensor.Value>
): void =>
  void tf.tidy(() => {
    const x = laidOut(given)
    const [after, expected] = [[f(x)].flat(), [f(QuantTensor.integers(x))].flat()] as const
    expect(after.length).toBe(expected.length)
    after.forEach((y, i) => {
      const whole = expected[i] as tf.Tensor
      expect(QuantTensor.isQuantTensor(y) && QuantTensor.isValid(y)).toBe(true)
      expect([QuantTensor.shapeOf(y), ints(y)]).toEqual([whole.shape, numbers(whole)])
    })
  })
const law = (f: (x: QuantTensor.Value, given: Layout) => ReturnType<Parameters<typeof keepsIntegers>[1]>): void =>
  fc.assert(
    fc.property(layout, (given) => keepsIntegers(given, (x) => f(x, given))),
    { numRuns: 40 }
  )

/** Every way to write a number as a product, in order, as shapes for it. */
const otherShapes = (size: number): ReadonlyArray<ReadonlyArray<number>> => {
  const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0)
  return divisors.flatMap((a) => divisors.filter((b) => (size / a) % b === 0).map((b) => [a, b, size / a / b]))
}

onBackends("shapes", () => {
  it("reshape keeps the integers, whatever scales and zero-points vary along", () =>
    law((x, { shape, seed }) => {
      const shapes = otherShapes(sizeOf(shape))
      return ok(QuantTensor.reshape(x, shapes[seed % shapes.length] as ReadonlyArray<number>))
    }))
  it("flatten", () => law((x, { seed }) => [QuantTensor.flatten(x), QuantTensor.flatten(x, seed % 2, -1)]))
  it("transpose, in any order", () =>
    law((x, { shape, seed }) => {
      const order = shape.map((_, i) => i).sort((a, b) => ((a * 7 + seed) % 5) - ((b * 7 + seed) % 5) || a - b)
      return [ok(QuantTensor.transpose(x)), ok(QuantTensor.transpose(x, order)), ok(QuantTensor.swapAxes(x, 0, -1))]
    }))
  it("expandDims and squeeze", () =>
    law((x, { shape, seed }) => {
      const longer = ok(QuantTensor.expandDims(x, seed % (shape.length + 1)))
      return [longer, ok(QuantTensor.expandDims(x, -1)), ok(QuantTensor.squeeze(longer)), ok(QuantTensor.squeeze(x))]
    }))
  it("slice, index, split, chunk, tile", () =>
    law((x, { shape, seed }) => {
      const begin = shape.map((size, i) => (seed + i) % size)
      const last = shape.length - 1
      return [
        ok(
          QuantTensor.slice(
            x,
            begin,
            shape.map(() => 1)
          )
        ),
        ok(
          QuantTensor.slice(
            x,
            begin,
            shape.map(() => -1)
          )
        ),
        ok(QuantTensor.index(x, seed % (shape[last] as number), last)),
        ok(QuantTensor.index(x, -1)),
        ...ok(QuantTensor.split(x, shape[0] as number)),
        ...ok(QuantTensor.split(x, [1, (shape[last] as number) - 1], -1)).slice(0, 1),
        ...ok(QuantTensor.chunk(x, 2, last)),
        ok(
          QuantTensor.tile(
            x,
            shape.map((_, i) => 1 + ((seed + i) % 2))
          )
        )
      ]
    }))

  it("a scale is repeated no more than it must be", () =>
    void tf.tidy(() => {
      const scale = tf.tensor4d([1, 2, 3], [1, 1, 1, 3])
      const x = made(
        Array.from({ length: 24 }, (_, i) => i),
        [2, 2, 2, 3],
        { scale }
      )
      expect((QuantTensor.flatten(x) as QuantTensor.QuantTensor).scale.shape).toEqual([1, 12])
      expect(quantized(QuantTensor.reshape(x, [8, 3])).scale.shape).toEqual([1, 3])
      expect(quantized(QuantTensor.reshape(x, [2, 4, 1, 3])).scale.shape).toEqual([1, 1, 1, 3])
      expect((QuantTensor.flatten(made([1, 2], [2, 1])) as QuantTensor.QuantTensor).scale.shape).toEqual([])
    }))

  it("gradients of a repeated scale add up", () =>
    void tf.tidy(() => {
      const x = made([1, 2, 3, 4], [2, 2])
      const weighed = (scale: tf.Tensor): tf.Tensor => {
        const { scale: after } = quantized(QuantTensor.reshape({ ...x, scale }, [4]))
        return tf.sum(tf.mul(after, tf.tensor1d([1, 10, 100, 1000])))
      }
      expect(numbers(tf.grad(weighed)(tf.tensor2d([[1], [2]])))).toEqual([11, 1100])
      expect(numbers(tf.grad(weighed)(tf.tensor2d([[1, 2]])))).toEqual([101, 1010])
    }))

  it("groups give plain tensors, empty tensors stay empty", () =>
    void tf.tidy(() => {
      const x = made([1, 2, 3, 4], [2, 2])
      const grouped = { ...x, grouped: { value: x.value, scale: x.scale, zeroPoint: x.zeroPoint, size: 2, dim: 1 } }
      for (const y of [
        QuantTensor.flatten(grouped),
        ok(QuantTensor.transpose(grouped)),
        ok(QuantTensor.index(grouped, 0))
      ])
        expect(QuantTensor.isQuantTensor(y)).toBe(false)
      const none = made([], [0, 2], { scale: tf.tensor2d([[1, 2]]) })
      expect(quantized(QuantTensor.reshape(none, [2, 0])).value.shape).toEqual([2, 0])
    }))

  it("what does not fit is a failure that says what would", () =>
    void tf.tidy(() => {
      const x = made([1, 2, 3, 4, 5, 6], [2, 3])
      const wrong = [
        QuantTensor.reshape(x, [4]),
        QuantTensor.reshape(x, [-1, -1]),
        QuantTensor.reshape(x, [-1, 4]),
        QuantTensor.transpose(x, [0, 0]),
        QuantTensor.transpose(x, [0]),
        QuantTensor.swapAxes(x, 0, 2),
        QuantTensor.squeeze(x, [0]),
        QuantTensor.expandDims(x, 4),
        QuantTensor.slice(x, [0, 0], [3, 1]),
        QuantTensor.slice(x, [0], [1]),
        QuantTensor.index(x, 2),
        QuantTensor.index(x, 0, 2),
        QuantTensor.split(x, 4, 1),
        QuantTensor.split(x, [1, 1], 1),
        QuantTensor.chunk(x, 0),
        QuantTensor.tile(x, [2])
      ]
      for (const one of wrong) expect(failure<unknown>(one)).toMatchObject({ _tag: "ShapeMismatch", actual: [2, 3] })
      expect(failure(QuantTensor.reshape(x, [4])).message).toBe(
        "reshape: expected shape one that [4] can hold, got [2, 3]"
      )
    }))

  it("each answer has tensors of its own, and nothing else is left", () => {
    const one = () => [made([1, 2, 3, 4], [2, 2], { scale: tf.tensor2d([[1], [2]]) })]
    const operations: ReadonlyArray<(x: QuantTensor.Value) => QuantTensor.Value | ReadonlyArray<QuantTensor.Value>> = [
      (x) => ok(QuantTensor.reshape(x, [4])),
      (x) => QuantTensor.flatten(x),
      (x) => ok(QuantTensor.transpose(x)),
      (x) => ok(QuantTensor.slice(x, [0, 0], [2, 1])),
      (x) => ok(QuantTensor.index(x, 1)),
      (x) => ok(QuantTensor.split(x, 2)),
      (x) => ok(QuantTensor.tile(x, [2, 1])),
      (x) => QuantTensor.shared(x)
    ]
    for (const f of operations) leavesNothing(one, (x) => f(x as QuantTensor.QuantTensor))
    leavesNothing(
      () => [tf.tensor1d([1, 2])],
      (x) => QuantTensor.flatten(x as QuantTensor.Value)
    )
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, expectTypeOf, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const numbers = (x: tf.Tensor | null | undefined): ReadonlyArray<number> => (x ? [...x.dataSync()] : [])

/** How many tensors `f` leaves behind. */
const left = (f: () => void): number => {
  const before = tf.memory().numTensors
  f()
  return tf.memory().numTensors - before
}

/** x^2 with a gradient of its own, 10 x dy; saves a tensor that it makes. */
const squared = Gradient.customGradient((x: tf.Tensor) => ({
  value: tf.square(x),
  saved: [tf.mul(x, 10)],
  gradient: (dy, [tenfold]: readonly [tf.Tensor]) => [tf.mul(dy, tenfold)]
}))

const through = Gradient.customGradient((x: tf.Tensor) => ({ value: tf.round(x), gradient: (dy) => [dy] }))

describe.each([
  ["wasm", Backend.layer],
  ["cpu", Backend.cpu]
] as const)("Gradient on %s", (_, layer) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

  const first = ([x]: ReadonlyArray<tf.Tensor>): tf.Tensor => x as tf.Tensor

  it("answers the value and the gradients of the operation's own rule", () => {
    const x = tf.tensor1d([1, -2, 3])
    const result = Gradient.valueAndGradients((p) => tf.sum(squared(tf.add(first(p), 1))), [x])
    expect(numbers(result.value)).toEqual([21])
    expect(result.gradients.map(numbers)).toEqual([[20, -10, 40]])
  })

  it("answers null for a parameter that the value does not depend on, and even for all", () => {
    const [x, y] = [tf.scalar(2), tf.scalar(3)]
    expect(
      Gradient.valueAndGradients(([x]) => squared(x as tf.Tensor), [x, y]).gradients.map((g) => g === null)
    ).toEqual([false, true])
    expect(Gradient.valueAndGradients(() => tf.scalar(1), [x, y]).gradients).toEqual([null, null])
  })

  it("lets a gradient answer dy itself, for several inputs and where gradients add up", () => {
    const plus = Gradient.customGradient((a: tf.Tensor, b: tf.Tensor) => ({
      value: tf.add(a, b),
      gradient: (dy) => [dy, dy]
    }))
    const x = tf.tensor1d([0.4, 1.6])
    const f = (p: ReadonlyArray<tf.Tensor>) => {
      const r = through(first(p))
      return tf.sum(plus(plus(r, first(p)), plus(r, r)))
    }
    expect(Gradient.valueAndGradients(f, [x]).gradients.map(numbers)).toEqual([[4, 4]])
  })

  it("differentiates an operation whose value is its input", () => {
    const doubled = Gradient.customGradient((x: tf.Tensor) => ({ value: x, gradient: (dy) => [tf.mul(dy, 2)] }))
    const x = tf.tensor1d([1, 2])
    expect(Gradient.valueAndGradients((p) => tf.sum(doubled(doubled(first(p)))), [x]).gradients.map(numbers)).toEqual([
      [4, 4]
    ])
    expect(numbers(x)).toEqual([1, 2])
  })

  it("leaves nothing but the value and the gradients", () => {
    const x = tf.tensor1d([1, -2, 3])
    const steps = () => {
      const { value, gradients } = Gradient.valueAndGradients(
        (p) => tf.sum(squared(through(tf.mul(first(p), 2)))),
        [x, x]
      )
      tf.dispose([value, ...gradients.flatMap((g) => (g === null ? [] : [g]))])
    }
    expect(left(steps)).toBe(0)
    expect(left(() => squared(x).dispose())).toBe(0)
    expect(left(() => tf.tidy(() => void Gradient.valueAndGradients((p) => tf.sum(squared(first(p))), [x])))).toBe(0)
  })

  it("what the function throws leaves nothing behind, and the next gradients are right", () => {
    const before = tf.memory().numTensors
    const x = tf.scalar(2)
    const broken = () =>
      Gradient.valueAndGradients(
        ([x]) => {
          tf.square(tf.exp(x as tf.Tensor))
          throw new Error("no more")
        },
        [x]
      )
    expect(broken).toThrow("no more")
    const { value, gradients } = Gradient.valueAndGradients(([x]) => tf.square(x as tf.Tensor), [x])
    expect([value.dataSync()[0], gradients[0]?.dataSync()[0]]).toEqual([4, 4])
    tf.dispose([x, value, gradients[0] as tf.Tensor])
    expect(tf.memory().numTensors).toBe(before)
  })

  it("lets the tensors survive that the function keeps", () => {
    const x = tf.tensor1d([1, -2, 3])
    const kept: Array<tf.Tensor> = []
    const step = () =>
      tf.tidy(() => {
        Gradient.valueAndGradients(
          (p) => {
            const hidden = squared(first(p))
            kept.push(tf.keep(tf.clone(hidden)))
            return tf.sum(hidden)
          },
          [x]
        )
      })
    expect(left(step)).toBe(1)
    expect(kept.map(numbers)).toEqual([[1, 4, 9]])
    tf.dispose(kept)
  })

  it("computes the left gradient of a bilinear operation only where something asks for it", () => {
    const asked: Array<string> = []
    const times = Gradient.bilinear({
      value: tf.mul,
      left: (dy, right) => {
        asked.push("left")
        return tf.mul(dy, right)
      },
      right: (dy, left) => {
        asked.push("right")
        return tf.mul(dy, left)
      }
    })
    const [a, b] = [tf.tensor1d([2, 3]), tf.tensor1d([5, 7])]
    const onlyRight = Gradient.valueAndGradients(([b]) => tf.sum(times(a, b as tf.Tensor)), [b])
    expect([onlyRight.gradients.map(numbers), asked.splice(0)]).toEqual([[[2, 3]], ["right"]])
    const both = Gradient.valueAndGradients(([a, b]) => tf.sum(times(a as tf.Tensor, b as tf.Tensor)), [a, b])
    expect([both.gradients.map(numbers), asked]).toEqual([
      [
        [5, 7],
        [2, 3]
      ],
      ["left", "right"]
    ])
    const square = Gradient.valueAndGradients(([a]) => tf.sum(times(a as tf.Tensor, a as tf.Tensor)), [a])
    expect(square.gradients.map(numbers)).toEqual([[4, 6]])
  })

  it("stops at what is computed without a gradient, and records none of it", () => {
    const x = tf.tensor1d([2, 3])
    const before = tf.memory().numTensors
    tf.tidy(() => {
      const alone = Gradient.valueAndGradients(([x]) => tf.sum(Gradient.stopped(x as tf.Tensor)), [x])
      expect([numbers(alone.value), alone.gradients]).toEqual([[5], [null]])
      const half = ([x]: ReadonlyArray<tf.Tensor>) =>
        tf.mul(
          x as tf.Tensor,
          Gradient.withoutGradient(() => squared(tf.add(x as tf.Tensor, 1)))
        )
      expect(Gradient.valueAndGradients(half, [x]).gradients.map(numbers)).toEqual([[9, 16]])
      const read = ([x]: ReadonlyArray<tf.Tensor>) =>
        tf.mul(
          x as tf.Tensor,
          Gradient.unrecorded(() => tf.sum(squared(x as tf.Tensor)).dataSync()[0] as number)
        )
      expect(Gradient.valueAndGradients(read, [x]).gradients.map(numbers)).toEqual([[13, 13]])
    })
    expect(tf.memory().numTensors).toBe(before)
    const answered = Gradient.withoutGradient(() => squared(x))
    expect(Gradient.unrecorded(() => squared(x).shape)).toEqual([2])
    expect([numbers(answered), tf.memory().numTensors]).toEqual([[4, 9], before + 1])
    expect(() => Gradient.unrecorded(() => tf.reshape(squared(tf.tensor1d([1, 2, 3])), [7]))).toThrow()
    expect(tf.memory().numTensors).toBe(before + 1)
    tf.dispose([x, answered])
  })

  it("asks for one gradient for each input, in the type", () => {
    expectTypeOf(squared).toEqualTypeOf<(x: tf.Tensor) => tf.Tensor>()
    // @ts-expect-error two inputs, one gradient
    Gradient.customGradient((a: tf.Tensor, b: tf.Tensor) => ({
      value: tf.add(a, b),
      gradient: (dy: tf.Tensor) => [dy]
    }))
  })
})

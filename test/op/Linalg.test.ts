import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Linalg from "../../src/op/Linalg.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const backends = [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const

const start = (layer: (typeof backends)[number][1]): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

type Product = (p: ReadonlyArray<tf.Tensor>) => tf.Tensor
const ours: Product = ([x, w, b]) => Linalg.linear(x as tf.Tensor, w as tf.Tensor, b)
const theirs: Product = ([x, w, b]) => {
  const y = tf.matMul(x as tf.Tensor, w as tf.Tensor)
  return b === undefined ? y : tf.add(y, b)
}

/** [rows, inputs, outputs]; more than 48 inputs, and sizes that are no multiple of 4. */
const shapes = [
  [1, 1, 1],
  [2, 3, 4],
  [7, 1, 5],
  [5, 64, 3],
  [64, 100, 33]
] as const

/** Value and gradients of sum(f * c) as plain numbers, so that they outlive a change of the backend. */
const outcome = (f: Product, [n, i, o]: (typeof shapes)[number], bias: boolean): ReadonlyArray<ReadonlyArray<number>> =>
  tf.tidy(() => {
    const draw = (shape: Array<number>, seed: number) => tf.randomUniform(shape, -1, 1, "float32", seed)
    const parameters = [draw([n, i], 1), draw([i, o], 2), ...(bias ? [draw([o], 3)] : [])]
    const cotangent = draw([n, o], 4)
    const { gradients } = Gradient.valueAndGradients((p) => tf.sum(tf.mul(f(p), cotangent)), parameters)
    return [f(parameters), ...gradients].map((t) => (t === null ? [] : [...t.dataSync()]))
  })

const distance = (a: ReadonlyArray<ReadonlyArray<number>>, b: ReadonlyArray<ReadonlyArray<number>>): number => {
  const [left, right] = [a.flat(), b.flat()]
  return left.length === right.length
    ? Math.max(...left.map((x, k) => Math.abs(x - (right[k] ?? Number.NaN))))
    : Number.POSITIVE_INFINITY
}

const cases = shapes.flatMap((shape) => [true, false].map((bias) => ({ shape, bias })))
const expected: Array<ReadonlyArray<ReadonlyArray<number>>> = []

beforeAll(async () => {
  await start(Backend.cpu)
  expected.push(...cases.map(({ shape, bias }) => outcome(theirs, shape, bias)))
})

describe.each(backends)("Linalg on %s", (name, layer) => {
  beforeAll(() => start(layer))

  it("runs there", () => expect(tf.getBackend()).toBe(name))

  it.each(cases.map((c, k) => [`${c.shape}${c.bias ? " with bias" : ""}`, c, k] as const))("linear %s", (_, c, k) => {
    expect(distance(outcome(ours, c.shape, c.bias), expected[k] ?? [])).toBeLessThan(2e-5)
  })

  it("matMul differentiates one matrix multiplied by itself", () => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2])
    const { gradients } = Gradient.valueAndGradients(
      ([a]) => tf.sum(Linalg.matMul(a as tf.Tensor, a as tf.Tensor)),
      [a]
    )
    expect(gradients.map((g) => g && [...g.dataSync()])).toEqual([[7, 11, 9, 13]])
  })

  it("leaves no tensors behind", () => {
    const before = tf.memory().numTensors
    outcome(ours, [5, 64, 3], true)
    expect(tf.memory().numTensors).toBe(before)
  })
})

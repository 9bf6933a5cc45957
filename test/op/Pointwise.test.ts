import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Clamp from "../../src/op/Clamp.ts"
import * as Pointwise from "../../src/op/Pointwise.ts"
import * as PowerOfTwo from "../../src/op/PowerOfTwo.ts"
import * as Round from "../../src/op/Round.ts"
import * as Sign from "../../src/op/Sign.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const inputs = [0, -0, 0.3, -0.3, 1.5, -2.5, 127.3, -1e-40, 1e-10, 1e30, Number.NaN, Number.POSITIVE_INFINITY]

const steps: Readonly<Record<string, readonly [Pointwise.Step, (x: tf.Tensor) => tf.Tensor]>> = {
  magnitude: [Pointwise.magnitude, Sign.magnitude],
  exp2: [Pointwise.exp2, PowerOfTwo.exp2],
  nearest: [Pointwise.roundings.nearest, Round.nearest],
  floor: [Pointwise.roundings.floor, Round.floor],
  ceil: [Pointwise.roundings.ceil, Round.ceil],
  atLeast: [Pointwise.atLeast(0.7), (x) => Clamp.atLeast(x, 0.7)],
  over: [Pointwise.over(127), (x) => tf.div(x, 127)]
}

describe.each([
  ["wasm", Backend.layer],
  ["cpu", Backend.cpu]
] as const)("Pointwise on %s", (_, layer) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

  /** Value and gradient; `tf.abs` and divisions of the backends may answer either zero. */
  const both = (f: (x: tf.Tensor) => tf.Tensor): ReadonlyArray<ReadonlyArray<number>> =>
    tf.tidy(() => {
      const x = tf.tensor1d(inputs)
      const dy = tf.tensor1d(inputs.map((_, i) => 0.1 * (i + 1)))
      const { value, gradients } = Gradient.valueAndGradients(([x]) => tf.mul(f(x as tf.Tensor), dy), [x])
      return [f(x), value, gradients[0] as tf.Tensor].map((y) => [...y.dataSync()].map((v) => v + 0))
    })

  it.each(Object.keys(steps))("%s has the bits of its operation", (name) => {
    const [step, op] = steps[name] as (typeof steps)[string]
    expect(both((x) => Pointwise.chain(x, [step]))).toEqual(both(op))
    expect(inputs.map((x) => Pointwise.number([step], x) + 0)).toEqual(both(op)[0])
  })

  it("a chain has the bits of the operations one after another, and leaves nothing", () => {
    const before = tf.memory().numTensors
    const all = ["nearest", "exp2", "atLeast", "over", "magnitude"].map((name) => steps[name] as (typeof steps)[string])
    expect(
      both((x) =>
        Pointwise.chain(
          x,
          all.map(([step]) => step)
        )
      )
    ).toEqual(both((x) => all.reduce((y, [, op]) => op(y), x)))
    expect(tf.memory().numTensors).toBe(before)
  })

  it("a chain of nothing is another tensor, in the shape that is asked for", () => {
    tf.tidy(() => {
      const x = tf.scalar(3)
      const y = Pointwise.chain(x, [], [1])
      expect([y.shape, y === x, ...y.dataSync()]).toEqual([[1], false, 3])
      x.dispose()
      expect([...y.dataSync()]).toEqual([3])
    })
  })
})

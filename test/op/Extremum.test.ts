import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Extremum from "../../src/op/Extremum.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const start = (layer: typeof Backend.layer): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

type Reduction = NonNullable<Parameters<typeof Extremum.absMax>[1]>
interface Sample {
  readonly shape: ReadonlyArray<number>
  readonly reduction: Reduction
  readonly values: ReadonlyArray<number>
}

/** Few different values, so that many attain the maximum; NaN, infinities, zeros of both signs and denormals among them. */
const values = [0, -0, 1, -1, 0.5, 2, -2, 1e-45, -1e-45]
const rare = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
const sample: fc.Arbitrary<Sample> = fc
  .record({
    shape: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
    axis: fc.integer({ min: -4, max: 3 }),
    kind: fc.constantFrom("everything", "axis", "channel"),
    keepDims: fc.boolean(),
    values: fc.array(
      fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom(...values) },
        { weight: 1, arbitrary: fc.constantFrom(...rare) }
      ),
      { minLength: 1, maxLength: 97 }
    )
  })
  .map(({ shape, axis, kind, keepDims, values }) => {
    const at = ((axis % shape.length) + shape.length) % shape.length
    const reduction = kind === "everything" ? {} : kind === "axis" ? { axis: at, keepDims } : { channel: at }
    return { shape, reduction, values }
  })

const inputOf = ({ shape, values }: Sample): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => values[i % values.length] as number),
    [...shape]
  )

/** Different gradients for each value, so that none goes to another place unnoticed. */
const weighted = (y: tf.Tensor): tf.Tensor =>
  tf.sum(
    tf.mul(
      y,
      tf.tensor(
        Float32Array.from({ length: y.size }, (_, i) => i + 1.5),
        y.shape
      )
    )
  )
const numbers = (x: tf.Tensor | null | undefined): Array<number> => (x ? [...x.dataSync()].map((v) => v + 0) : [])

const alone = (one: Sample) => (): Array<Array<number>> =>
  tf.tidy(() => {
    const { gradients } = Gradient.valueAndGradients(
      ([x]) => weighted(Extremum.absMax(x as tf.Tensor, one.reduction)),
      [inputOf(one)]
    )
    return [numbers(Extremum.absMax(inputOf(one), one.reduction)), numbers(gradients[0])]
  })

/** The maximum beside another use of x; `through` completes the gradient of that use in place. */
const beside = (one: Sample, through: boolean, other: (x: tf.Tensor) => tf.Tensor) => (): Array<number> =>
  tf.tidy(() => {
    const f = ([x]: ReadonlyArray<tf.Tensor>): tf.Tensor => {
      const [m, next] = through
        ? Extremum.absMaxThrough(x as tf.Tensor, one.reduction)
        : [Extremum.absMax(x as tf.Tensor, one.reduction), x as tf.Tensor]
      return tf.add(weighted(m), weighted(other(next)))
    }
    return numbers(Gradient.valueAndGradients(f, [inputOf(one)]).gradients[0])
  })

/** Owned by the tape; the very `dy` of what follows; and of two uses, one of which is a view. */
const others: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  "a gradient of its own": (x) => tf.mul(x, 2),
  "a gradient that is shared": Gradient.customGradient((x: tf.Tensor) => ({
    value: tf.square(x),
    gradient: (dy) => [dy]
  })),
  "two uses": (x) => tf.add(tf.mul(x, 3), Gradient.reshaped(Gradient.reshaped(x, [x.size]), x.shape))
}

describe("the kernels of absMax", () => {
  beforeAll(() => start(Backend.layer))

  /** The same on the host, by the definition. */
  const onCpu = async (all: ReadonlyArray<() => unknown>): Promise<ReadonlyArray<unknown>> => {
    await start(Backend.cpu)
    const answers = all.map((one) => one())
    await start(Backend.layer)
    return answers
  }

  it("agree with the definition to the bit: value and gradient, ties, NaN, nothing", async () => {
    const samples = fc.sample(sample, { seed: 7, numRuns: 400 })
    const before = tf.memory().numTensors
    const fused = samples.map((one) => alone(one)())
    expect(tf.memory().numTensors).toBe(before)
    expect(fused).toEqual(await onCpu(samples.map(alone)))
  })

  it.each(Object.keys(others))("complete %s as a sum of both gradients", (name) => {
    const other = others[name] as (x: tf.Tensor) => tf.Tensor
    const before = tf.memory().numTensors
    for (const one of fc.sample(sample, { seed: 8, numRuns: 200 }))
      expect(beside(one, true, other)()).toEqual(beside(one, false, other)())
    expect(tf.memory().numTensors).toBe(before)
  })

  it("share among more than they have room to note", () => {
    tf.tidy(() => {
      const x = tf.mul(tf.ones([5000]), tf.tensor1d(Float32Array.from({ length: 5000 }, (_, i) => (i % 2 ? 1 : -1))))
      const { gradients } = Gradient.valueAndGradients(([x]) => Extremum.absMax(x as tf.Tensor), [x])
      expect(numbers(gradients[0]).slice(0, 2)).toEqual([-Math.fround(1 / 5000), Math.fround(1 / 5000)])
      expect(new Set(numbers(gradients[0])).size).toBe(2)
    })
  })

  it("do not touch a gradient from outside", () => {
    const [x, dy] = [tf.tensor1d([1, -3, 2]), tf.tensor1d([1, 1, 1])]
    const given = tf.tidy(() =>
      tf
        .grad((x: tf.Tensor) => Extremum.absMaxThrough(x)[1])(x, dy)
        .dataSync()
    )
    expect([...given]).toEqual([1, 1, 1])
    const both = tf.tidy(() =>
      tf
        .grad((x: tf.Tensor) => {
          const [m, next] = Extremum.absMaxThrough(x)
          return Gradient.customGradient((next: tf.Tensor, _: tf.Tensor) => ({
            value: next,
            gradient: (dy) => [dy, tf.scalar(5)]
          }))(next, m)
        })(x, dy)
        .dataSync()
    )
    expect([...both]).toEqual([1, -4, 1])
    expect([...dy.dataSync()]).toEqual([1, 1, 1])
    tf.dispose([x, dy])
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Gather from "../../src/op/Gather.ts"
import { InvalidOptions, ShapeMismatch } from "../../src/tensor/Errors.ts"

const backends = [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const

const start = (layer: (typeof backends)[number][1]): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

interface Sample {
  readonly rows: number
  readonly columns: number
  readonly shape: ReadonlyArray<number>
  readonly picks: ReadonlyArray<number>
}

const size = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

const arbitrary: fc.Arbitrary<Sample> = fc
  .record({
    rows: fc.integer({ min: 1, max: 9 }),
    columns: fc.integer({ min: 0, max: 19 }),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 })
  })
  .chain((sample) =>
    fc.record({
      rows: fc.constant(sample.rows),
      columns: fc.constant(sample.columns),
      shape: fc.constant(sample.shape),
      picks: fc.array(fc.integer({ min: 0, max: sample.rows - 1 }), {
        minLength: size(sample.shape),
        maxLength: size(sample.shape)
      })
    })
  )

const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
/** Numbers whose sums are rounded, so that their order shows; now and then a special one. */
const data = (length: number, salt: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => {
    const u = ((i + salt) * 2654435761) % 997
    return u < 30 ? (special[u % 3] as number) : (u - 500) / 7
  })

type Run = typeof Gather.gather
type Outcome = readonly [value: Float32Array, gradient: Float32Array]

const inputs = ({ rows, columns, shape, picks }: Sample) => ({
  table: data(rows * columns, 1),
  dy: data(picks.length * columns, 50),
  shapes: { table: [rows, columns] as [number, number], y: [...shape, columns] }
})

const outcome = (sample: Sample, run: Run): Outcome =>
  tf.tidy(() => {
    const { table, dy, shapes } = inputs(sample)
    const indices = tf.tensor([...sample.picks], [...sample.shape], "int32")
    const x = tf.tensor(table, shapes.table, "float32")
    const value = run(x, indices)
    expect(value.shape).toEqual(shapes.y)
    const gradient = tf.grad((x: tf.Tensor) => run(x, indices))(x, tf.tensor(dy, shapes.y, "float32"))
    expect(gradient.shape).toEqual(shapes.table)
    return [Float32Array.from(value.dataSync()), Float32Array.from(gradient.dataSync())] as const
  })

const naive = (sample: Sample): Outcome => {
  const { table, dy } = inputs(sample)
  const { picks, columns } = sample
  const gradient = new Float32Array(table.length)
  picks.forEach((row, n) => {
    for (let j = 0; j < columns; j++) {
      const at = row * columns + j
      gradient[at] = (gradient[at] as number) + (dy[n * columns + j] as number)
    }
  })
  return [Float32Array.from(picks.flatMap((row) => [...table.subarray(row * columns, (row + 1) * columns)])), gradient]
}

describe.each(backends)("Gather on %s", (name, layer) => {
  beforeAll(() => start(layer))

  it("looks up rows, and adds those of the gradient in order, to the bit", () =>
    fc.assert(
      fc.property(arbitrary, (sample) => {
        expect(outcome(sample, Gather.gather)).toEqual(naive(sample))
      }),
      { numRuns: 200 }
    ))

  it("would notice another order", () => {
    const picks = Array.from({ length: 40 }, () => 0)
    const sample: Sample = { rows: 1, columns: 3, shape: [40], picks }
    const turned: Run = (table, indices) => tf.reverse(Gather.gather(table, tf.reverse(indices)), 0)
    expect(outcome({ ...sample, shape: [20], picks: picks.slice(20) }, Gather.gather)).toEqual(
      naive({ ...sample, shape: [20], picks: picks.slice(20) })
    )
    expect(outcome(sample, turned)).not.toEqual(naive(sample))
  })

  it("has kernels where it should, which agree with the composition", () => {
    expect(tf.getKernel("BreveGather", name) !== undefined).toBe(name === "wasm")
    fc.assert(
      fc.property(arbitrary, (sample) => {
        fc.pre(sample.picks.length * sample.columns > 0)
        expect(outcome(sample, Gather.gather)).toEqual(outcome(sample, Gather.composition))
      }),
      { numRuns: 50 }
    )
  })

  it("refuses indices beyond the table, and what is no table", () =>
    tf.tidy(() => {
      const failure = (table: tf.Tensor, indices: tf.Tensor): unknown => {
        try {
          return Gather.gather(table, indices)
        } catch (error) {
          return error
        }
      }
      const table = tf.ones([3, 2])
      for (const [indices, message] of [
        [[0, 3], "holds 3 at place 1, but the table has rows 0 to 2"],
        [[-1], "holds -1 at place 0"]
      ] as const) {
        const error = failure(table, tf.tensor([...indices], [indices.length], "int32"))
        expect(error).toBeInstanceOf(InvalidOptions)
        expect((error as Error).message).toContain(message)
      }
      expect((failure(tf.ones([0, 2]), tf.tensor([0], [1], "int32")) as Error).message).toContain("has no rows")
      expect((failure(table, tf.tensor([0.5])) as Error).message).toContain("must be int32, not float32")
      expect(failure(tf.ones([3]), tf.tensor([0], [1], "int32"))).toBeInstanceOf(ShapeMismatch)
    }))

  it("leaves nothing behind", () => {
    const count = () => [tf.memory().numTensors, tf.memory().numDataBuffers]
    const before = count()
    fc.assert(
      fc.property(arbitrary, (sample) => outcome(sample, Gather.gather).length === 2),
      { numRuns: 30 }
    )
    expect(count()).toEqual(before)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
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

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

// ---- products by the book, in double precision ----------------------------------------------------------------

/** Matrices in rows: `rows * columns` numbers. */
interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: ArrayLike<number>
}

interface Expected {
  readonly sums: ReadonlyArray<number>
  /** what the magnitudes of the terms of each sum add up to */
  readonly magnitudes: ReadonlyArray<number>
}

const byTheBook = (a: Matrix, b: Matrix, transposeA: boolean, transposeB: boolean): Expected => {
  const [m, k] = transposeA ? [a.columns, a.rows] : [a.rows, a.columns]
  const n = transposeB ? b.rows : b.columns
  const at = ({ columns, data }: Matrix, transposed: boolean, i: number, j: number) =>
    data[transposed ? j * columns + i : i * columns + j] as number
  const [sums, magnitudes] = [new Float64Array(m * n), new Float64Array(m * n)]
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let p = 0; p < k; p++) {
        const term = at(a, transposeA, i, p) * at(b, transposeB, p, j)
        sums[i * n + j] = (sums[i * n + j] as number) + term
        magnitudes[i * n + j] = (magnitudes[i * n + j] as number) + Math.abs(term)
      }
  return { sums: [...sums], magnitudes: [...magnitudes] }
}

/** The greatest error in units of `2^-24 (Σ|a||b| + 2^-125)`, which counts what underflows; infinite where infinities or NaN are not the ones expected. */
const error = (y: ArrayLike<number>, { sums, magnitudes }: Expected): number =>
  sums.length === y.length
    ? Math.max(
        0,
        ...sums.map((sum, i) => {
          const got = y[i] as number
          if (Object.is(got, sum) || got === sum) return 0
          const off = (Math.abs(got - sum) / ((magnitudes[i] as number) + 2 ** -125)) * 2 ** 24
          return Number.isFinite(off) ? off : inf
        })
      )
    : inf

// ---- samples --------------------------------------------------------------------------------------------------

/** Uniform numbers in [0, 1), by a seed. */
const mulberry = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const contents = {
  reals: (u: number) => u - 0.5,
  integers: (u: number) => Math.round((u - 0.5) * 64),
  specials: (u: number) => (u < 0.02 ? ([nan, inf, -inf, 0, -0, 1e-42] as const)[Math.floor(u * 300)] : u - 0.5) ?? 0
}
type Content = keyof typeof contents

const draw = (shape: ReadonlyArray<number>, seed: number, content: Content = "reals"): tf.Tensor => {
  const uniform = mulberry(seed)
  const data = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => contents[content](uniform()))
  return tf.tensor(data, [...shape], "float32")
}

const size = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(31, 32, 33, 64, 65))
const sample = fc.record({
  m: size,
  n: size,
  k: fc.oneof(size, fc.constantFrom(255, 256, 257, 600)),
  transposeA: fc.boolean(),
  transposeB: fc.boolean(),
  content: fc.constantFrom<Content[]>("reals", "integers", "specials"),
  seed: fc.integer({ min: 0, max: 1 << 30 })
})
type Sample = typeof sample extends fc.Arbitrary<infer S> ? S : never

const operands = ({ m, n, k, transposeA, transposeB, content, seed }: Sample): readonly [tf.Tensor, tf.Tensor] => [
  draw(transposeA ? [k, m] : [m, k], seed, content),
  draw(transposeB ? [n, k] : [k, n], seed + 1, content)
]

const matrix = (x: tf.Tensor): Matrix => ({
  rows: x.shape.at(-2) ?? 1,
  columns: x.shape.at(-1) ?? 1,
  data: x.dataSync()
})

const bits = (x: tf.Tensor): ReadonlyArray<number> => [...new Int32Array(Float32Array.from(x.dataSync()).buffer)]

/** Runs `f` in a tidy and expects that it leaves nothing behind. */
const tidied = (f: () => void): void => {
  const before = tf.memory().numTensors
  const buffers = tf.memory().numDataBuffers
  tf.tidy(() => {
    f()
  })
  expect([tf.memory().numTensors, tf.memory().numDataBuffers]).toEqual([before, buffers])
}

// ---- gradients ------------------------------------------------------------------------------------------------

type Product = (p: ReadonlyArray<tf.Tensor>) => tf.Tensor

/** Value and gradients of sum(f * c) as plain numbers, so that they outlive a change of the backend. */
const outcome = (f: Product, shapes: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<ReadonlyArray<number>> =>
  tf.tidy(() => {
    const parameters = shapes.map((shape, i) => draw(shape, i))
    const value = f(parameters)
    const cotangent = draw(value.shape, 9)
    const { gradients } = Gradient.valueAndGradients((p) => tf.sum(tf.mul(f(p), cotangent)), parameters)
    return [value, ...gradients].map((t) => (t === null ? [] : [...t.shape, ...t.dataSync()]))
  })

const distance = (a: ReadonlyArray<ReadonlyArray<number>>, b: ReadonlyArray<ReadonlyArray<number>>): number => {
  const [left, right] = [a.flat(), b.flat()]
  return left.length === right.length
    ? Math.max(...left.map((x, k) => Math.abs(x - (right[k] ?? Number.NaN))))
    : Number.POSITIVE_INFINITY
}

const linear = (rank: number, inputs: number, outputs: number, bias: boolean) => ({
  title: `linear ${rank} x ${inputs} -> ${outputs}${bias ? " with bias" : ""}`,
  shapes: [[7, 3, 5].slice(0, rank - 1).concat(inputs), [inputs, outputs], ...(bias ? [[outputs]] : [])],
  ours: ([x, w, b]: ReadonlyArray<tf.Tensor>) => Linalg.linear(x as tf.Tensor, w as tf.Tensor, b),
  theirs: ([x, w, b]: ReadonlyArray<tf.Tensor>) => {
    const rows = tf.reshape(x as tf.Tensor, [-1, inputs])
    const y = tf.reshape(tf.matMul(rows, w as tf.Tensor), [...(x?.shape.slice(0, -1) ?? []), outputs])
    return b === undefined ? y : tf.add(y, b)
  }
})

const product = (a: ReadonlyArray<number>, b: ReadonlyArray<number>, transposeA: boolean, transposeB: boolean) => {
  const turned = (shape: ReadonlyArray<number>) => [...shape.slice(0, -2), ...shape.slice(-2).reverse()]
  return {
    title: `matMul [${a}] [${b}]${transposeA ? ", a transposed" : ""}${transposeB ? ", b transposed" : ""}`,
    shapes: [transposeA ? turned(a) : a, transposeB ? turned(b) : b],
    ours: ([a, b]: ReadonlyArray<tf.Tensor>) =>
      Linalg.matMul(a as tf.Tensor, b as tf.Tensor, { transposeA, transposeB }),
    // tfjs's own gradient fails where it broadcasts
    theirs: (given: ReadonlyArray<tf.Tensor>) => {
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.slice(0, -2), b.slice(0, -2))
      const [left, right] = given.map((x) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]))
      return tf.matMul(left as tf.Tensor, right as tf.Tensor, transposeA, transposeB)
    }
  }
}

const cases = [
  ...[true, false].flatMap((bias) => [
    linear(2, 1, 1, bias),
    linear(2, 64, 3, bias),
    linear(2, 100, 33, bias),
    linear(3, 9, 4, bias),
    linear(4, 5, 17, bias)
  ]),
  ...[0, 1, 2, 3].flatMap((which) => {
    const of = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => product(a, b, which % 2 === 1, which > 1)
    return [
      of([3, 4], [4, 5]),
      of([1, 9], [9, 30]),
      of([2, 5, 6], [2, 6, 7]),
      of([2, 5, 6], [6, 3]),
      of([5, 6], [4, 6, 3]),
      of([3, 1, 4, 2], [1, 5, 2, 6])
    ]
  })
]
const expected: Array<ReadonlyArray<ReadonlyArray<number>>> = []

beforeAll(async () => {
  await start(Backend.cpu)
  expected.push(...cases.map(({ shapes, theirs }) => outcome(theirs, shapes)))
})

// ---- laws -----------------------------------------------------------------------------------------------------

describe.each(backends)("Linalg on %s", (name, layer) => {
  beforeAll(() => start(layer))

  it("runs there", () => {
    expect(tf.getBackend()).toBe(name)
    expect(tf.getKernel("BreveMatMul", name) !== undefined).toBe(name === "wasm")
  })

  it.each(cases.map((c, k) => [c.title, c, k] as const))("value and gradients: %s", (_, { shapes, ours }, k) => {
    tidied(() => expect(distance(outcome(ours, shapes), expected[k] ?? [])).toBeLessThan(2e-5))
  })

  it("multiplies: |y - ab| <= 2^-24 (k + 2) Σ|a||b|, exact for integers, NaN and infinities as by the book", () => {
    fc.assert(
      fc.property(
        sample.filter(({ m, n, k, content }) => name === "wasm" || (m * n * k > 0 && content !== "specials")),
        (given) =>
          tidied(() => {
            const [a, b] = operands(given)
            const y = Linalg.matMul(a, b, given)
            expect(y.shape).toEqual([given.m, given.n])
            const wanted = byTheBook(matrix(a), matrix(b), given.transposeA, given.transposeB)
            const limit = given.content === "integers" ? 0 : given.k + 2
            expect(error(y.dataSync(), wanted)).toBeLessThanOrEqual(limit)
          })
      ),
      { numRuns: name === "wasm" ? 400 : 50 }
    )
  })

  it("sums columns", () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 40 }), fc.integer(), (rows, columns, seed) =>
        tidied(() => {
          const x = draw([rows, columns], seed, "specials")
          const wanted = byTheBook({ rows: 1, columns: rows, data: new Array(rows).fill(1) }, matrix(x), false, false)
          expect(error(Linalg.columnSums(x).dataSync(), wanted)).toBeLessThanOrEqual(rows + 2)
        })
      ),
      { numRuns: 100 }
    )
  })

  it("differentiates one matrix multiplied by itself", () => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2])
    const { gradients } = Gradient.valueAndGradients(
      ([a]) => tf.sum(Linalg.matMul(a as tf.Tensor, a as tf.Tensor)),
      [a]
    )
    expect(gradients.map((g) => g && [...g.dataSync()])).toEqual([[7, 11, 9, 13]])
  })

  it("computes no gradient that nothing asks for", async () => {
    const [x, w, b] = [draw([4, 3], 1), draw([3, 2], 2), draw([2], 3)]
    const count = async (which: ReadonlyArray<tf.Tensor>): Promise<number> => {
      const run = () => Gradient.valueAndGradients(() => tf.sum(Linalg.linear(x, w, b)), which).value
      const { kernels } = await tf.profile(run)
      return kernels.filter(({ name }) => /MatMul/.test(name)).length
    }
    expect([await count([b]), await count([w]), await count([x, w])]).toEqual([1, 2, 3])
  })

  it("refuses sizes that do not fit", () => {
    const of = (...shapes: ReadonlyArray<ReadonlyArray<number>>) => shapes.map((shape) => tf.zeros([...shape]))
    for (const [[a, b], options] of [
      [of([2, 3], [4, 2]), {}],
      [of([2, 3], [3, 2]), { transposeA: true }],
      [of([2, 3], [3, 2]), { transposeB: true }],
      [of([2, 2, 3], [3, 3, 2]), {}]
    ] as const)
      expect(() => Linalg.matMul(a as tf.Tensor, b as tf.Tensor, options)).toThrow()
    const [x, w, b] = of([2, 3], [3, 2], [3])
    expect(() => Linalg.linear(x as tf.Tensor, w as tf.Tensor, b)).toThrow()
  })
})

describe("Linalg's kernels", () => {
  beforeAll(() => start(Backend.layer))

  it("give a row the same bits alone and among others, from other addresses, and of a transposed operand", () => {
    fc.assert(
      fc.property(sample, fc.nat(30), (given, odd) =>
        tidied(() => {
          fc.pre(given.m > 0)
          const [a, b] = operands({ ...given, content: "reals" })
          const y = Linalg.matMul(a, b, given)
          draw([odd + 1], 1)
          const [left, right] = [
            given.transposeA ? tf.transpose(a) : tf.clone(a),
            given.transposeB ? tf.transpose(b) : b
          ]
          expect(bits(Linalg.matMul(left, right))).toEqual(bits(y))
          const row = odd % given.m
          const alone = Linalg.matMul(tf.slice(left, [row, 0], [1, given.k]), right)
          expect(bits(alone)).toEqual(bits(tf.slice(y, [row, 0], [1, given.n])))
        })
      ),
      { numRuns: 200 }
    )
  })

  it("change nothing that they are given", () =>
    tidied(() => {
      const [a, b] = [draw([9, 300], 1), draw([300, 21], 2)]
      const before = [bits(a), bits(b)]
      Linalg.matMul(a, b)
      expect([bits(a), bits(b)]).toEqual(before)
    }))
})

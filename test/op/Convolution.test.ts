import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it, vi } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Convolution from "../../src/op/Convolution.ts"
import * as ConvolutionComposition from "../../src/op/ConvolutionComposition.ts"
import * as Window from "../../src/op/Window.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const backends = [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const

const start = (layer: (typeof backends)[number][1]): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

type Pair = readonly [number, number]

interface Case {
  readonly image: Pair
  readonly kernel: Pair
  readonly channels: Pair
  readonly options: Convolution.Conv2dOptions
}

/** The sizes go round at different speeds, so that they meet in many combinations. */
const cases: ReadonlyArray<Case> = [
  [1, 1],
  [2, 2],
  [3, 3],
  [4, 4],
  [5, 5],
  [3, 2],
  [1, 4]
].flatMap((kernel, k) =>
  [
    [1, 1],
    [2, 2],
    [3, 3],
    [2, 1],
    [1, 3]
  ].flatMap((strides, s) =>
    (
      [
        "same",
        "valid",
        1,
        2,
        [
          [0, 1],
          [2, 0]
        ],
        [
          [3, 1],
          [0, 4]
        ]
      ] as ReadonlyArray<Convolution.Pad>
    ).flatMap((pad, p) =>
      [
        [1, 1],
        [2, 2],
        [1, 2]
      ].map((dilations, d) => ({
        image: [9 + ((k + s + p + d) % 4), 9 + ((k + 2 * s + 3 * p) % 5)] as const,
        kernel: kernel as unknown as Pair,
        channels: [1 + ((k + p) % 3), 1 + ((s + p + d) % 4)] as const,
        options: { strides: strides as unknown as Pair, pad, dilations: dilations as unknown as Pair }
      }))
    )
  )
)

const title = ({ image, kernel, channels, options }: Case): string =>
  `${image} by ${kernel} channels ${channels} strides ${options.strides} dilations ${options.dilations} pad ${JSON.stringify(options.pad)}`

type Convolve = (x: tf.Tensor, filter: tf.Tensor, options: Convolution.Conv2dOptions) => tf.Tensor

/** tfjs's own, with its own gradients: it has none for dilations, so a product spreads the taps; "same" is left to tfjs. */
const theirs: Convolve = (x, filter, { strides, pad, dilations }) => {
  const [kh, kw, ci, co] = filter.shape as [number, number, number, number]
  const spread = (n: number, by: number) =>
    tf.tensor2d(
      Array.from({ length: (n - 1) * by + 1 }, (_, to) =>
        Array.from({ length: n }, (_, from) => (to === from * by ? 1 : 0))
      )
    )
  const tall = tf.matMul(spread(kh, dilations[0]), tf.reshape(filter, [kh, kw * ci * co]))
  const turned = tf.reshape(tf.transpose(tf.reshape(tall, [-1, kw, ci * co]), [1, 0, 2]), [kw, -1])
  const wide = tf.reshape(tf.matMul(spread(kw, dilations[1]), turned), [(kw - 1) * dilations[1] + 1, -1, ci, co])
  const explicit =
    typeof pad === "number"
      ? ([
          [pad, pad],
          [pad, pad]
        ] as const)
      : pad
  return tf.conv2d(
    x as tf.Tensor4D,
    tf.transpose(wide, [1, 0, 2, 3]) as tf.Tensor4D,
    [...strides],
    typeof explicit === "string" ? explicit : [[0, 0], [...explicit[0]], [...explicit[1]], [0, 0]]
  )
}

type Outcome = ReadonlyArray<{ readonly shape: ReadonlyArray<number>; readonly values: ReadonlyArray<number> }>

/** Value and gradients of sum(y * c), as plain numbers, so that they outlive a change of the backend. */
const outcome = (convolve: Convolve, { image, kernel, channels: [ci, co], options }: Case): Outcome =>
  tf.tidy(() => {
    const draw = (shape: Array<number>, seed: number) => tf.randomUniform(shape, -1, 1, "float32", seed)
    const [x, filter] = [draw([2, ...image, ci], 1), draw([...kernel, ci, co], 2)]
    const value = convolve(x, filter, options)
    const cotangent = draw(value.shape, 3)
    const loss = ([x, filter]: ReadonlyArray<tf.Tensor>) =>
      tf.sum(tf.mul(convolve(x as tf.Tensor, filter as tf.Tensor, options), cotangent))
    const { gradients } = Gradient.valueAndGradients(loss, [x, filter])
    return [value, ...gradients].map((t) =>
      t === null ? { shape: [], values: [] } : { shape: t.shape, values: [...t.dataSync()] }
    )
  })

const distance = (a: Outcome, b: Outcome): number =>
  Math.max(
    ...a.map(({ values }, k) => Math.max(...values.map((x, j) => Math.abs(x - (b[k]?.values[j] ?? Number.NaN)))))
  )

const expected: Array<Outcome> = []

beforeAll(async () => {
  await start(Backend.cpu)
  expected.push(...cases.map((c) => outcome(theirs, c)))
}, 60_000)

describe.each(backends)("Convolution.conv2d on %s", (name, layer) => {
  beforeAll(() => start(layer))

  it("runs there", () => expect(tf.getBackend()).toBe(name))

  it(`agrees with tfjs on the cpu, in value and gradients, in ${cases.length} cases`, () => {
    const wrong = cases.flatMap((c, k) => {
      const [actual, wanted] = [outcome(Convolution.conv2d, c), expected[k] ?? []]
      const shapes = JSON.stringify(actual.map((t) => t.shape)) === JSON.stringify(wanted.map((t) => t.shape))
      return shapes && distance(actual, wanted) < 1e-4 ? [] : [title(c)]
    })
    expect(wrong).toEqual([])
  })

  it("would notice images upside down", () => {
    const [c] = cases.filter(({ kernel, options }) => kernel[0] === 3 && options.pad === "same")
    const turned: Convolve = (x, filter, options) => Convolution.conv2d(tf.reverse(x, 1), filter, options)
    expect(c && distance(outcome(turned, c), expected[cases.indexOf(c)] ?? [])).toBeGreaterThan(0.1)
  })

  it("leaves no tensors behind", () => {
    const before = tf.memory().numTensors
    for (const c of cases.slice(0, 90)) outcome(Convolution.conv2d, c)
    expect(tf.memory().numTensors).toBe(before)
  })
})

// ---- any shapes, against the formula ------------------------------------------------------------------------

interface Sample {
  readonly images: number
  readonly image: Pair
  readonly kernel: Pair
  readonly groups: number
  readonly inner: number
  readonly outputs: number
  readonly options: Omit<Convolution.Conv2dOptions, "groups">
  readonly bias: boolean
  readonly values: "real" | "whole" | "special"
  readonly seed: number
}

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

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

const numbers = (seed: number, size: number, values: Sample["values"]): Float32Array => {
  const uniform = mulberry(seed)
  return Float32Array.from({ length: size }, () => {
    const u = uniform()
    if (values === "special" && u < 0.02) return [nan, inf, -inf, 0][Math.floor(u * 200)] as number
    return values === "whole" ? Math.floor(u * 9) - 4 : u * 2 - 1
  })
}

/** For each element of a result: its sum in double precision, the sum of the magnitudes, and the number of terms. */
type Sums = Readonly<Record<"sum" | "magnitude" | "count", Float64Array>>

const sums = (size: number): Sums => ({
  sum: new Float64Array(size),
  magnitude: new Float64Array(size),
  count: new Float64Array(size)
})

const add = ({ sum, magnitude, count }: Sums, at: number, term: number): void => {
  sum[at] = (sum[at] as number) + term
  magnitude[at] = (magnitude[at] as number) + Math.abs(term)
  count[at] = (count[at] as number) + 1
}

const product = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

const shapes = ({ images, image, kernel, groups, inner, outputs, options }: Sample) => {
  const { rows, columns } = Window.geometry(image, kernel, options)
  return {
    rows,
    columns,
    x: [images, ...image, groups * inner],
    filter: [...kernel, inner, groups * outputs],
    bias: [groups * outputs],
    y: [images, rows.output, columns.output, groups * outputs]
  }
}

const data = (sample: Sample) => {
  const { x, filter, bias, y } = shapes(sample)
  const draw = (shape: ReadonlyArray<number>, salt: number) =>
    numbers(sample.seed + salt, product(shape), sample.values)
  return { x: draw(x, 1), filter: draw(filter, 2), bias: draw(bias, 3), dy: draw(y, 4) }
}

/** The formulas as they stand, with zeros around x and around dy; what a stride passes over belongs to no sum. */
const formula = (sample: Sample) => {
  const { groups, inner, outputs, image, kernel, images } = sample
  const { rows, columns, ...shape } = shapes(sample)
  const { x, filter, bias, dy } = data(sample)
  const [ci, co] = [groups * inner, groups * outputs]
  const [value, dx, dw, db] = [shape.y, shape.x, shape.filter, shape.bias].map((s) => sums(product(s))) as [
    Sums,
    Sums,
    Sums,
    Sums
  ]
  const pixel = (n: number, i: number, j: number, h: number, w: number, c: number) =>
    i < 0 || i >= h || j < 0 || j >= w ? undefined : ((n * h + i) * w + j) * c
  const read = (data: Float32Array, at: number | undefined, c: number) =>
    at === undefined ? 0 : (data[at + c] as number)
  const taps = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => [Math.floor(tap / kernel[1]), tap % kernel[1]])
  for (let n = 0; n < images; n++) {
    for (let i = 0; i < rows.output; i++)
      for (let j = 0; j < columns.output; j++) {
        const to = ((n * rows.output + i) * columns.output + j) * co
        for (let o = 0; o < co; o++) {
          if (sample.bias) add(value, to + o, bias[o] as number)
          add(db, o, dy[to + o] as number)
        }
        for (const [tap, [u = 0, v = 0]] of taps.entries()) {
          const p = i * rows.stride + u * rows.dilation - rows.before
          const q = j * columns.stride + v * columns.dilation - columns.before
          const from = pixel(n, p, q, ...image, ci)
          for (let o = 0; o < co; o++)
            for (let c = 0; c < inner; c++) {
              const at = (tap * inner + c) * co + o
              const one = read(x, from, Math.floor(o / outputs) * inner + c)
              add(value, to + o, one * (filter[at] as number))
              add(dw, at, one * (dy[to + o] as number))
            }
        }
      }
    for (let p = 0; p < image[0]; p++)
      for (let q = 0; q < image[1]; q++)
        for (const [tap, [u = 0, v = 0]] of taps.entries()) {
          const i = (p + rows.before - u * rows.dilation) / rows.stride
          const j = (q + columns.before - v * columns.dilation) / columns.stride
          if (!Number.isInteger(i) || !Number.isInteger(j)) continue
          const from = pixel(n, i, j, rows.output, columns.output, co)
          for (let o = 0; o < co; o++)
            for (let c = 0; c < inner; c++) {
              const to = ((n * image[0] + p) * image[1] + q) * ci + Math.floor(o / outputs) * inner + c
              add(dx, to, read(dy, from, o) * (filter[(tap * inner + c) * co + o] as number))
            }
        }
  }
  return { value, dx, dw, db }
}

/** The value, and the gradients for x, filter and bias. */
const results = (
  sample: Sample,
  convolve: typeof Convolution.conv2d = Convolution.conv2d
): ReadonlyArray<Float32Array> =>
  tf.tidy(() => {
    const shape = shapes(sample)
    const given = data(sample)
    const [x, filter, bias, dy] = [
      tf.tensor(given.x, shape.x, "float32"),
      tf.tensor(given.filter, shape.filter, "float32"),
      tf.tensor(given.bias, shape.bias, "float32"),
      tf.tensor(given.dy, shape.y, "float32")
    ]
    const f = (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) =>
      convolve(x, filter, { ...sample.options, groups: sample.groups }, sample.bias ? bias : undefined)
    const value = f(x, filter, bias)
    expect(value.shape).toEqual(shape.y)
    const { gradients } = Gradient.valueAndGradients(
      ([x, filter, bias]) => tf.mul(f(x as tf.Tensor, filter as tf.Tensor, bias as tf.Tensor), dy),
      [x, filter, bias]
    )
    expect(gradients.slice(0, 2).map((gradient) => gradient?.shape)).toEqual([shape.x, shape.filter])
    return [value, ...gradients].flatMap((t) => (t === null ? [] : [t.dataSync().slice() as Float32Array]))
  })

/** No further off than the roundings of each sum in any order allow; sums of small whole numbers are exact. */
const holds = (actual: Float32Array, { sum, magnitude, count }: Sums, exact: boolean): boolean =>
  actual.length === sum.length &&
  actual.every((y, at) => {
    const wanted = sum[at] as number
    if (!Number.isFinite(wanted) || exact) return Object.is(y + 0, wanted + 0)
    return Math.abs(y - wanted) <= ((count[at] as number) + 2) * 2 ** -24 * (magnitude[at] as number)
  })

const agrees = (sample: Sample, convolve?: typeof Convolution.conv2d): void => {
  const { value, dx, dw, db } = formula(sample)
  const actual = results(sample, convolve)
  const wanted = [value, dx, dw, ...(sample.bias ? [db] : [])]
  expect(actual.length).toBe(wanted.length)
  expect(wanted.map((sums, k) => holds(actual[k] as Float32Array, sums, sample.values === "whole"))).toEqual(
    wanted.map(() => true)
  )
}

const upTo = (max: number, min = 1) => fc.integer({ min, max })
const pair = (max: number, min = 1): fc.Arbitrary<Pair> => fc.tuple(upTo(max, min), upTo(max, min))
const arbitrary = (...values: ReadonlyArray<Sample["values"]>): fc.Arbitrary<Sample> =>
  fc.record({
    images: fc.constantFrom(1, 2, 3, 0),
    image: fc.oneof(pair(9), fc.constantFrom<Array<Pair>>([1, 1], [0, 4], [12, 7])),
    kernel: pair(4),
    groups: fc.constantFrom(1, 1, 2, 3, 4, 5, 8, 9),
    inner: fc.constantFrom(1, 1, 2, 3, 4, 5, 7, 8, 9),
    outputs: fc.constantFrom(1, 1, 2, 3, 4, 5, 6, 8, 9),
    options: fc.record({
      strides: pair(3),
      dilations: pair(3),
      pad: fc.oneof(fc.constantFrom<Array<Convolution.Pad>>("same", "valid", 0, 1, 3), fc.tuple(pair(4, 0), pair(4, 0)))
    }),
    bias: fc.boolean(),
    values: fc.constantFrom(...values),
    seed: fc.integer({ min: 0, max: 1 << 30 })
  })

const plain: Sample = {
  images: 2,
  image: [9, 8],
  kernel: [3, 3],
  groups: 1,
  inner: 3,
  outputs: 5,
  options: { strides: [1, 1], pad: "same", dilations: [1, 1] },
  bias: true,
  values: "real",
  seed: 7
}

describe.each(backends)("Convolution.conv2d on %s, any shapes", (name, layer) => {
  beforeAll(() => start(layer))

  it("is the formula, in value and gradients", () =>
    fc.assert(
      fc.property(arbitrary("real", "whole"), (sample) => agrees(sample)),
      { numRuns: name === "wasm" ? 400 : 60 }
    ))

  it("would notice a filter upside down", () =>
    expect(() =>
      agrees(plain, (x, filter, ...rest) => Convolution.conv2d(x, tf.reverse(filter, 0), ...rest))
    ).toThrow())

  it("refuses channels that do not fit", () =>
    tf.tidy(() => {
      const convolve = (filter: ReadonlyArray<number>, groups: number, bias = 4) =>
        Convolution.conv2d(
          tf.zeros([1, 3, 3, 4]),
          tf.zeros([...filter]),
          { ...plain.options, groups },
          tf.zeros([bias])
        )
      expect(() => convolve([2, 2, 3, 4], 1)).toThrow("expected shape [kh, kw, 4 / 1, a multiple of 1]")
      expect(() => convolve([2, 2, 2, 3], 2)).toThrow("a multiple of 2")
      expect(() => convolve([2, 2, 4, 4], 1, 3)).toThrow("bias: expected shape [4], got [3]")
      expect(convolve([2, 2, 1, 4], 4).shape).toEqual([1, 3, 3, 4])
    }))
})

describe("Convolution.conv2d on wasm, by kernels", () => {
  beforeAll(() => start(Backend.layer))

  it("has them", () => expect(tf.getKernel("BreveConv2d", "wasm")).toBeDefined())

  it("passes on NaN and infinities wherever the formula does, also by zeros around the image", () =>
    fc.assert(
      fc.property(
        arbitrary("special").filter((sample) => product(shapes(sample).x) * product(shapes(sample).y) > 0),
        (sample) => agrees(sample)
      ),
      { numRuns: 300 }
    ))

  it("is the composition of standard ops", () =>
    fc.assert(
      fc.property(arbitrary("real", "whole"), (sample) => {
        const { y, x, filter } = shapes(sample)
        fc.pre(product(y) * product(x) * product(filter) > 0)
        agrees({ ...sample, bias: false }, (x, filter, options) =>
          ConvolutionComposition.composition(x, filter, { ...options, groups: options.groups ?? 1 })
        )
      }),
      { numRuns: 60 }
    ))

  const large: ReadonlyArray<Partial<Sample>> = [
    { image: [41, 40], inner: 64, outputs: 9 },
    { image: [61, 40], inner: 40, outputs: 12, options: { strides: [2, 1], pad: 2, dilations: [1, 2] } },
    { image: [50, 40], groups: 66, inner: 1, outputs: 1 },
    {
      image: [40, 40],
      groups: 33,
      inner: 1,
      outputs: 2,
      options: { strides: [1, 2], pad: "valid", dilations: [1, 1] }
    },
    { image: [60, 30], groups: 2, inner: 40, outputs: 20, kernel: [2, 3], options: { ...plain.options, pad: "valid" } },
    { image: [9, 9], inner: 130, outputs: 70 }
  ]
  it.each(large)("does images that it has to cut in pieces: %j", (given) => {
    agrees({ ...plain, images: 1, ...given })
    agrees({ ...plain, images: 1, ...given, values: "whole" })
  })

  it("has the same bits twice", () =>
    fc.assert(
      fc.property(arbitrary("real", "special"), (sample) => {
        expect(results(sample)).toEqual(results(sample))
      }),
      { numRuns: 50 }
    ))

  it("has gradients of its gradients", () =>
    tf.tidy(() => {
      const of = (sample: Sample) => {
        const { x, filter, y } = shapes(sample)
        const given = data(sample)
        return [tf.tensor(given.x, x), tf.tensor(given.filter, filter), tf.tensor(given.dy, y)] as const
      }
      const options = { strides: [2, 1], pad: 1, dilations: [1, 2] } as const
      const [x, filter, dy] = of({ ...plain, options })
      const [dx] = of({ ...plain, options, seed: 99 })
      const convolve = (x: tf.Tensor, filter: tf.Tensor) => Convolution.conv2d(x, filter, options)
      const [forFilter, forDy] = tf.grads((filter: tf.Tensor, dy: tf.Tensor) =>
        tf.mul(tf.grad((x: tf.Tensor) => convolve(x, filter))(x, dy), dx)
      )([filter, dy])
      // <dx, gradient of x> = <convolution of dx, dy>
      const near = (a: tf.Tensor | undefined, b: tf.Tensor) => {
        expect(a?.shape).toEqual(b.shape)
        expect(tf.max(tf.abs(tf.sub(a as tf.Tensor, b))).dataSync()[0]).toBeLessThan(1e-5)
        expect(tf.max(tf.abs(b)).dataSync()[0]).toBeGreaterThan(0.1)
      }
      near(forFilter, tf.grad((filter: tf.Tensor) => convolve(dx, filter))(filter, dy))
      near(forDy, convolve(dx, filter))
      const [forX] = tf.grads((x: tf.Tensor) =>
        tf.mul(tf.grad((filter: tf.Tensor) => convolve(x, filter))(filter, dy), filter)
      )([x])
      near(forX, tf.grad((x: tf.Tensor) => convolve(x, filter))(x, dy))
    }))

  it("computes no gradient that nothing asks for", () =>
    tf.tidy(() => {
      const run = vi.spyOn(tf.engine(), "runKernel")
      const { x, filter, y } = shapes(plain)
      const gradient = tf.grad((filter: tf.Tensor) => Convolution.conv2d(tf.ones(x), filter, plain.options))
      gradient(tf.ones(filter), tf.ones(y))
      const names = run.mock.calls.map(([kernel]) => kernel)
      run.mockRestore()
      expect(names).toContain("BreveConv2dFilterGrad")
      expect(names).not.toContain("BreveConv2dInputGrad")
    }))

  it("leaves nothing behind, and changes nothing", () => {
    const backend = tf.backend() as unknown as { numDataIds: () => number }
    const before = [tf.memory().numTensors, tf.memory().numDataBuffers, backend.numDataIds()]
    fc.assert(
      fc.property(arbitrary("special"), (sample) => results(sample).length > 0),
      { numRuns: 50 }
    )
    expect([tf.memory().numTensors, tf.memory().numDataBuffers, backend.numDataIds()]).toEqual(before)
    tf.tidy(() => {
      const { x, filter, y } = shapes(plain)
      const [a, b, c] = [tf.ones(x), tf.ones(filter), tf.ones(y)]
      tf.grads((x: tf.Tensor, filter: tf.Tensor) => Convolution.conv2d(x, filter, plain.options))([a, b], c)
      for (const one of [a, b, c]) expect(one.dataSync().every((element) => element === 1)).toBe(true)
    })
  })
})

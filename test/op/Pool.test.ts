import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Pool from "../../src/op/Pool.ts"
import * as Window from "../../src/op/Window.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const backends = [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const

const start = (layer: (typeof backends)[number][1]): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true })))

const { NaN: nan, POSITIVE_INFINITY: inf } = Number

interface Sample {
  readonly shape: readonly [number, number, number, number]
  readonly options: Pool.AverageOptions
  readonly values: "whole" | "special"
  readonly seed: number
}

/** Whole numbers, with many ties; special ones as well, if wanted. */
const numbers = (seed: number, size: number, values: Sample["values"]): Float32Array => {
  let state = seed
  return Float32Array.from({ length: size }, () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    const u = ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
    if (values === "special" && u < 0.1) return [nan, inf, -inf, 0, -0][Math.floor(u * 50)] as number
    return Math.floor(u * 12) - 6
  })
}

const product = (shape: ReadonlyArray<number>): number => shape.reduce((a, b) => a * b, 1)

const geometry = ({ shape, options }: Sample) =>
  Window.geometry([shape[1], shape[2]], options.size, {
    strides: options.strides ?? options.size,
    pad: options.pad ?? "valid",
    dilations: options.dilations ?? [1, 1]
  })

interface Outcome {
  readonly value: Float32Array
  readonly gradient: Float32Array
}

/** Each window as it stands: the places in the image, in order. */
const naive = (sample: Sample, kind: "maximum" | "mean"): Outcome => {
  const { shape, options } = sample
  const [n, height, width, channels] = shape
  const { rows, columns } = geometry(sample)
  const x = numbers(sample.seed, product(shape), sample.values)
  const outputs = n * rows.output * columns.output * channels
  const dy = numbers(sample.seed + 1, outputs, sample.values)
  const value = new Float32Array(outputs)
  const gradient = new Float32Array(x.length)
  for (let at = 0; at < outputs; at++) {
    const c = at % channels
    const window = Math.floor(at / channels)
    const j = window % columns.output
    const i = Math.floor(window / columns.output) % rows.output
    const image = Math.floor(window / (columns.output * rows.output))
    const places = Array.from({ length: rows.kernel * columns.kernel }, (_, tap) => {
      const p = i * rows.stride + Math.floor(tap / columns.kernel) * rows.dilation - rows.before
      const q = j * columns.stride + (tap % columns.kernel) * columns.dilation - columns.before
      return p < 0 || p >= height || q < 0 || q >= width ? -1 : ((image * height + p) * width + q) * channels + c
    }).filter((place) => place >= 0)
    if (kind === "maximum") {
      const ahead = (place: number, best: number) => {
        const [a, b] = [x[place] as number, x[best] as number]
        return !Number.isNaN(b) && (Number.isNaN(a) || a > b)
      }
      const best = places.reduce<number | undefined>(
        (best, place) => (best === undefined || ahead(place, best) ? place : best),
        undefined
      )
      value[at] = best === undefined ? -inf : (x[best] as number)
      if (best !== undefined) gradient[best] = (gradient[best] as number) + (dy[at] as number)
    } else {
      const all = options.countIncludePad === true ? rows.kernel * columns.kernel : Math.max(1, places.length)
      value[at] = Math.fround(places.reduce((sum, place) => sum + (x[place] as number), 0)) / all
      for (const place of places) gradient[place] = (gradient[place] as number) + Math.fround((dy[at] as number) / all)
    }
  }
  return { value, gradient }
}

type Run = (x: tf.Tensor, options: Pool.AverageOptions) => tf.Tensor

const outcome = (sample: Sample, run: Run): Outcome =>
  tf.tidy(() => {
    const { shape, seed, values, options } = sample
    const { rows, columns } = geometry(sample)
    const to = [shape[0], rows.output, columns.output, shape[3]]
    const x = tf.tensor(numbers(seed, product(shape), values), [...shape], "float32")
    const dy = tf.tensor(numbers(seed + 1, product(to), values), to, "float32")
    const value = run(x, options)
    expect(value.shape).toEqual(to)
    const gradient = tf.grad((x: tf.Tensor) => run(x, options))(x, dy)
    expect(gradient.shape).toEqual(shape)
    const floats = (t: tf.Tensor): Float32Array => (t.dataSync() as Float32Array).map((a) => a + 0)
    return { value: floats(value), gradient: floats(gradient) }
  })

const exactly = (sample: Sample, kind: "maximum" | "mean", run: Run): void => {
  const { value, gradient } = naive(sample, kind)
  const actual = outcome(sample, run)
  expect(actual.value).toEqual(value.map((a) => a + 0))
  if (kind === "maximum") expect(actual.gradient).toEqual(gradient.map((a) => a + 0))
  // a composition may add what windows share in another order, and divide after it has added
  else
    expect(
      gradient.every((wanted, at) =>
        Number.isFinite(wanted)
          ? Math.abs((actual.gradient[at] as number) - wanted) <= 2e-5
          : Object.is(actual.gradient[at], wanted)
      )
    ).toBe(true)
}

const pair = (max: number, min = 1) => fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }))
const arbitrary = (...values: ReadonlyArray<Sample["values"]>): fc.Arbitrary<Sample> =>
  fc.record({
    shape: fc.tuple(
      fc.constantFrom(1, 2, 3, 0),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 9 })
    ),
    options: fc.record(
      {
        size: pair(4),
        strides: pair(3),
        dilations: pair(2),
        pad: fc.oneof(fc.constantFrom<Array<Window.Pad>>("same", "valid", 0, 1, 3), fc.tuple(pair(4, 0), pair(4, 0))),
        countIncludePad: fc.boolean()
      },
      { requiredKeys: ["size"] }
    ),
    values: fc.constantFrom(...values),
    seed: fc.integer({ min: 0, max: 1 << 30 })
  })

const plain: Sample = { shape: [2, 6, 8, 5], options: { size: [2, 2] }, values: "whole", seed: 3 }
/** Windows of nothing but zeros around the image, and images without elements, are spelt out below. */
const full = ({ shape }: Sample): boolean => product(shape) > 0

describe.each(backends)("Pool on %s", (name, layer) => {
  beforeAll(() => start(layer))
  const numRuns = name === "wasm" ? 400 : 60

  it("takes the first largest element, or the first NaN, of each window", () =>
    fc.assert(
      fc.property(arbitrary("whole", "special").filter(full), (sample) => exactly(sample, "maximum", Pool.maxPool2d)),
      { numRuns }
    ))

  it("takes the mean of each window", () =>
    fc.assert(
      fc.property(arbitrary("whole").filter(full), (sample) => exactly(sample, "mean", Pool.avgPool2d)),
      { numRuns }
    ))

  it("takes nothing from nothing", () =>
    tf.tidy(() => {
      for (const run of [Pool.maxPool2d, Pool.avgPool2d])
        for (const shape of [
          [0, 4, 4, 2],
          [2, 4, 4, 0],
          [2, 1, 1, 3]
        ] as const)
          expect([...outcome({ ...plain, shape }, run).value]).toEqual([])
    }))

  it("gives -Infinity or 0 beside the image", () =>
    tf.tidy(() => {
      const options = { size: [1, 1], strides: [1, 1], pad: 1 } as const
      expect([...Pool.maxPool2d(tf.ones([1, 1, 1, 1]), options).dataSync()]).toEqual(
        [0, 0, 0, 0, 1, 0, 0, 0, 0].map((x) => (x === 1 ? 1 : -inf))
      )
      expect([...Pool.avgPool2d(tf.ones([1, 1, 1, 1]), options).dataSync()]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0])
    }))

  it("would notice the last of equal elements", () => {
    const last: Run = (x, options) => tf.reverse(Pool.maxPool2d(tf.reverse(x, [1, 2]), options), [1, 2])
    expect(() => exactly({ ...plain, seed: 5 }, "maximum", last)).toThrow()
  })

  it("refuses what is no batch of images", () =>
    expect(() => Pool.maxPool2d(tf.zeros([2, 2, 2]), plain.options)).toThrow(
      "expected shape [n, h, w, c], got [2, 2, 2]"
    ))
})

describe("Pool on wasm, by kernels", () => {
  beforeAll(() => start(Backend.layer))

  it("is the composition of standard ops", () =>
    fc.assert(
      fc.property(arbitrary("whole").filter(full), (sample) => {
        const { rows, columns } = geometry(sample)
        fc.pre(rows.output * columns.output > 0)
        expect(tf.getKernel("BreveMaxPool", "wasm")).toBeDefined()
        exactly(sample, "maximum", Pool.maximum)
        exactly(sample, "mean", Pool.mean)
      }),
      { numRuns: 60 }
    ))

  it("has NaN or infinity in the mean of each window with one", () =>
    fc.assert(
      fc.property(arbitrary("special").filter(full), (sample) => exactly(sample, "mean", Pool.avgPool2d)),
      { numRuns: 100 }
    ))

  it("has the same bits twice, leaves nothing behind, and changes nothing", () => {
    const backend = tf.backend() as unknown as { numDataIds: () => number }
    const count = () => [tf.memory().numTensors, tf.memory().numDataBuffers, backend.numDataIds()]
    const before = count()
    fc.assert(
      fc.property(arbitrary("special"), (sample) => {
        for (const run of [Pool.maxPool2d, Pool.avgPool2d]) expect(outcome(sample, run)).toEqual(outcome(sample, run))
      }),
      { numRuns: 50 }
    )
    expect(count()).toEqual(before)
    tf.tidy(() => {
      const x = tf.ones([1, 5, 5, 3])
      for (const run of [Pool.maxPool2d, Pool.avgPool2d]) {
        Gradient.valueAndGradients(([x]) => run(x as tf.Tensor, { size: [3, 3], strides: [1, 1] }), [x])
        expect(x.dataSync().every((element) => element === 1)).toBe(true)
      }
    })
  })
})

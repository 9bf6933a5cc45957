import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Convolution from "../../src/op/Convolution.ts"
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
})

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

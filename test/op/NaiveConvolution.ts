/**
 * Convolutions of any rank by their definition, in double precision: every product that they sum, as a triple of places in the image,
 * in the filter and in the result. A convolution and the one that it transposes have the same triples in other roles.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect } from "vitest"
import * as Gradient from "../../src/tensor/Gradient.ts"

type Sizes = ReadonlyArray<number>

/** A convolution from `image` to `output`; each list has a number for each axis. */
export interface Sums {
  readonly batch: number
  readonly image: Sizes
  readonly output: Sizes
  readonly kernel: Sizes
  readonly strides: Sizes
  readonly dilations: Sizes
  readonly before: Sizes
  readonly groups: number
  /** of each group */
  readonly channels: { readonly image: number; readonly output: number }
}

export const product = (sizes: Sizes): number => sizes.reduce((a, b) => a * b, 1)

/** Where elements of a row-major array are, by axes. */
const places = (sizes: Sizes): ReadonlyArray<Sizes> =>
  sizes.reduce<ReadonlyArray<Sizes>>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]]
  )
const flat = (sizes: Sizes, place: Sizes): number =>
  sizes.reduce((at, size, axis) => at * size + (place[axis] as number), 0)

/** The places of each product: image `[n, ...image, g ci]`, filter `[...kernel, ci, g co]`, result `[n, ...output, g co]`. */
export const terms = (sums: Sums): ReadonlyArray<readonly [image: number, filter: number, output: number]> => {
  const { batch, image, output, kernel, strides, dilations, before, groups, channels } = sums
  const [ci, co] = [channels.image, channels.output]
  return places([batch]).flatMap(([n]) =>
    places(output).flatMap((i) =>
      places(kernel).flatMap((u) => {
        const p = i.map((at, axis) => {
          const [s, d] = [strides[axis] as number, dilations[axis] as number]
          return at * s + (u[axis] as number) * d - (before[axis] as number)
        })
        if (p.some((at, axis) => at < 0 || at >= (image[axis] as number))) return []
        return places([groups, ci, co]).map(([g = 0, c = 0, o = 0]) => {
          const [from, to] = [g * ci + c, g * co + o]
          return [
            flat([batch, ...image, groups * ci], [n as number, ...p, from]),
            flat([...kernel, ci, groups * co], [...u, c, to]),
            flat([batch, ...output, groups * co], [n as number, ...i, to])
          ] as const
        })
      })
    )
  )
}

/** Uniform whole numbers within -8..8, by a seed: their sums of products are exact. */
export const wholes = (length: number, seed: number): ReadonlyArray<number> => {
  let state = seed | 0
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 16) % 17) - 8
  })
}

/** The value and the gradients by x, the filter and the bias of `sum(y dy)`, as numbers. */
export interface Outcome {
  readonly shape: Array<number>
  readonly all: Array<Array<number>>
}

/** The same from an operation. */
export const outcome = (
  f: (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) => tf.Tensor,
  inputs: ReadonlyArray<readonly [values: ReadonlyArray<number>, shape: Sizes]>,
  dyOf: (length: number) => ReadonlyArray<number>
): Outcome =>
  tf.tidy((): Outcome & tf.TensorContainerObject => {
    const tensors = inputs.map(([values, shape]) => tf.tensor([...values], [...shape], "float32"))
    const [x, filter, bias] = tensors as [tf.Tensor, tf.Tensor, tf.Tensor]
    const y = f(x, filter, bias)
    const dy = tf.tensor([...dyOf(y.size)], y.shape, "float32")
    const { gradients } = Gradient.valueAndGradients(
      ([x, filter, bias]) => tf.sum(tf.mul(f(x as tf.Tensor, filter as tf.Tensor, bias as tf.Tensor), dy)),
      tensors
    )
    // -0 is 0
    const numbers = (t: tf.Tensor | null): Array<number> => [...(t as tf.Tensor).dataSync()].map((v) => v + 0)
    return { shape: y.shape, all: [y, ...gradients].map(numbers) }
  })

/** Compares an operation with the sums of its definition; `transposed` exchanges the image and the result. */
export const compare = (
  f: (x: tf.Tensor, filter: tf.Tensor, bias: tf.Tensor) => tf.Tensor,
  sums: Sums,
  seed: number,
  transposed: boolean
): void => {
  const { batch, groups, channels, kernel } = sums
  const image = [batch, ...sums.image, groups * channels.image]
  const result = [batch, ...sums.output, groups * channels.output]
  const filter = [...kernel, channels.image, groups * channels.output]
  const [from, shape] = transposed ? [result, image] : [image, result]
  const co = shape.at(-1) as number
  const [x, w] = [wholes(product(from), seed), wholes(product(filter), ~seed)]
  const [b, dy] = [wholes(co, seed + 1), wholes(product(shape), seed + 2)]
  const y = Array.from({ length: product(shape) }, (_, at) => b[at % co] as number)
  const [dx, dw, db] = [x.map(() => 0), w.map(() => 0), b.map(() => 0)]
  for (const [inImage, tap, inResult] of terms(sums)) {
    const [at, to] = transposed ? [inResult, inImage] : [inImage, inResult]
    y[to] = (y[to] as number) + (x[at] as number) * (w[tap] as number)
    dx[at] = (dx[at] as number) + (dy[to] as number) * (w[tap] as number)
    dw[tap] = (dw[tap] as number) + (dy[to] as number) * (x[at] as number)
  }
  for (const [at, d] of dy.entries()) db[at % co] = (db[at % co] as number) + d
  const inputs = [
    [x, from],
    [w, filter],
    [b, [co]]
  ] as const
  expect(outcome(f, inputs, () => dy)).toEqual({ shape, all: [y, dx, dw, db] })
}

/** How windows lie along one axis. */
export interface Axis {
  readonly size: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly pad: readonly [number, number]
  readonly extra: number
}

const axis: fc.Arbitrary<Axis> = fc.record({
  size: fc.integer({ min: 1, max: 5 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  pad: fc.tuple(fc.integer({ min: -2, max: 4 }), fc.integer({ min: -2, max: 4 })),
  extra: fc.integer({ min: 0, max: 2 })
})

/** Windows over one to three axes, of several channels and groups. */
export const arbitrary = fc.record({
  axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
  batch: fc.integer({ min: 0, max: 2 }),
  groups: fc.integer({ min: 1, max: 3 }),
  channels: fc.record({ image: fc.integer({ min: 1, max: 2 }), output: fc.integer({ min: 1, max: 2 }) }),
  seed: fc.integer()
})
export type Sample = typeof arbitrary extends fc.Arbitrary<infer A> ? A : never

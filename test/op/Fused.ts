/** What the laws of fused quantizations share: inputs of any layout, and that a kernel is its composition. */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import { expect, vi } from "vitest"
import * as Gradient from "../../src/tensor/Gradient.ts"

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

export interface Sample {
  readonly shape: ReadonlyArray<number>
  /** which axes the scale varies along */
  readonly scaleAxes: ReadonlyArray<boolean>
  readonly seed: number
  /** whether some elements are special ones */
  readonly special: boolean
  /** whether scales are powers of two */
  readonly powers: boolean
}

export type Inputs = readonly [x: tf.Tensor, scale: tf.Tensor]

const axes = fc.oneof<fc.Arbitrary<ReadonlyArray<boolean>>[]>(
  fc.constant([false, false, false, false]),
  fc.integer({ min: 0, max: 3 }).map((axis) => Array.from({ length: 4 }, (_, i) => i === axis)),
  fc.constant([true, false, true, false]),
  fc.constant([true, true, true, false]),
  fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })
)

/** Shapes of up to four axes, or with one of up to 70; scales of every layout. */
export const layout: fc.Arbitrary<Sample> = fc.record({
  shape: fc.oneof<fc.Arbitrary<Array<number>>[]>(
    fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
    fc.tuple(fc.integer({ min: 0, max: 70 })),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 70 }))
  ),
  scaleAxes: axes,
  seed: fc.integer({ min: 0, max: 1 << 30 }),
  special: fc.boolean(),
  powers: fc.boolean()
})

/** Elements over (-reach, reach) and scales around 1, each fifth element a special one. */
export const inputs = (
  { shape, scaleAxes, seed, special, powers }: Sample,
  { reach, specials }: { readonly reach: number; readonly specials: ReadonlyArray<number> }
): Inputs => {
  const uniform = mulberry(seed)
  const odd = special && seed % 11 === 0
  const chosen = (): number => specials[Math.floor(uniform() * specials.length)] as number
  const common = (): number => (powers ? 2 ** Math.floor(uniform() * 9 - 4) : uniform() + 0.4)
  const scaleShape = shape.map((size, axis) => (scaleAxes[axis] === true ? size : 1))
  const scales = Array.from({ length: tf.util.sizeFromShape(scaleShape) }, () =>
    odd && uniform() < 0.1 ? chosen() : common()
  )
  const elements = Array.from({ length: tf.util.sizeFromShape([...shape]) }, () =>
    special && uniform() < 0.2 ? chosen() : (2 * uniform() - 1) * reach
  )
  return [tf.tensor(elements, [...shape], "float32"), tf.tensor(scales, scaleShape, "float32")]
}

/** NaN is NaN, whatever its bits; zeros have signs. */
export const bits = (t: tf.Tensor | null | undefined): ReadonlyArray<string> =>
  [...(t?.dataSync() ?? [])].map((x) => (Object.is(x, -0) ? "-0" : String(x)))

/** The names of the kernels of breve that run. */
export const kernels = (f: () => unknown): ReadonlyArray<string> => {
  const spy = vi.spyOn(tf.engine(), "runKernel")
  f()
  const names = spy.mock.calls.map(([name]) => name).filter((name) => name.startsWith("Breve"))
  spy.mockRestore()
  return names
}

type Op = (x: tf.Tensor, scale: tf.Tensor) => tf.Tensor

/** The value and the gradients of both inputs, where the gradient that comes in is `dy`. */
const outcome = (f: Op, inputs: Inputs, dy: tf.Tensor) => {
  const { gradients } = Gradient.valueAndGradients(
    ([x, scale]) => tf.sum(tf.mul(f(x as tf.Tensor, scale as tf.Tensor), dy)),
    inputs
  )
  return { value: f(...inputs), gradients }
}

/** A kernel is its composition: to the bit, but for the sum of the scale's gradient, which is compared by its terms. */
export const check = (law: {
  readonly given: Sample
  readonly inputs: () => Inputs
  readonly op: Op
  readonly definition: Op
}): void =>
  tf.tidy(() => {
    const { op, definition, given } = law
    const inputs = law.inputs()
    const [x, scale] = inputs
    // of nothing: tfjs's own gradients fail where one axis has size 0, so that the composition has none
    if (x.size === 0) {
      expect(op(x, scale).shape).toEqual(x.shape)
      return
    }
    const uniform = mulberry(given.seed + 1)
    const numbers = Array.from({ length: x.size }, () => 2 * uniform() - 1)
    const dy = tf.tensor(numbers, x.shape)
    const [mine, theirs] = [outcome(op, inputs, dy), outcome(definition, inputs, dy)]
    expect(mine.value.shape).toEqual(x.shape)
    expect(bits(mine.value)).toEqual(bits(theirs.value))
    expect(mine.gradients.map((g) => g?.shape)).toEqual(theirs.gradients.map((g) => g?.shape))
    expect(bits(mine.gradients[0])).toEqual(bits(theirs.gradients[0]))
    // what the magnitudes of the terms of each sum add up to
    const ratio = (y: tf.Tensor): tf.Tensor => tf.abs(tf.div(y, scale))
    const change = tf.mul(tf.abs(mine.gradients[0] as tf.Tensor), ratio(x))
    const level = tf.mul(tf.abs(dy), tf.add(ratio(mine.value), tf.abs(scale)))
    const summed = scale.shape.flatMap((size, axis) => (size === 1 ? [axis] : []))
    const scope = tf.sum(tf.add(change, level), scale.rank === 0 ? undefined : summed).dataSync()
    // the composition divides by the square of the scale, which leaves float32 where the scale is very small or large
    const square = scale.dataSync().every((s) => Math.abs(s) > 1e-18 && Math.abs(s) < 1e18)
    const [got, wanted] = [mine.gradients[1], theirs.gradients[1]].map((g) => (g as tf.Tensor).dataSync())
    for (const [i, sum] of (wanted as Float32Array).entries()) {
      const [size, of] = [scope[i] as number, (got as Float32Array)[i] as number]
      if (!Number.isFinite(size) || !square) continue
      if (Number.isFinite(sum)) expect(Math.abs(of - sum)).toBeLessThanOrEqual(1e-6 * size)
      else expect(of).toBe(sum)
    }
  })

/**
 * A tensor as plain data, for cases of laws: it prints itself, and knows smaller ones that may still break a law.
 *
 * Shrinking is quick: first a smaller shape where it is free, then zeros in ever smaller parts, then plainer numbers. Every step is
 * tried once, so that a counter-example takes a few hundred evaluations at the very most.
 *
 * Room: laws. Imports: tfjs, fast-check.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"

// ---- model --------------------------------------------------------------------------------------------------

/** A shape and the elements in their order. */
export interface Sample {
  readonly shape: ReadonlyArray<number>
  readonly values: Float32Array
  readonly [fc.toStringMethod]: () => string
}

/** Draws the elements of a tensor of a shape. */
export type Draw = (random: fc.Random, shape: ReadonlyArray<number>) => Float32Array

// ---- text ---------------------------------------------------------------------------------------------------

const shown = 12

/** The bits of an element: they tell apart what numbers do not. */
export const bitsOf = (values: Float32Array, i: number): number =>
  new Uint32Array(values.buffer, values.byteOffset, values.length)[i] as number

/** An element as one would write it: the sign of zero and the payload of NaN are kept. */
export const elementText = (values: Float32Array, i: number): string => {
  const x = values[i] as number
  if (Number.isNaN(x)) return bitsOf(values, i) === 0x7fc00000 ? "NaN" : `NaN(0x${bitsOf(values, i).toString(16)})`
  return Object.is(x, -0) ? "-0" : String(x)
}

const indexText = (at: number, shape: ReadonlyArray<number>): string => {
  const digits: Array<number> = []
  let rest = at
  for (const d of shape.toReversed()) {
    digits.unshift(rest % d)
    rest = Math.floor(rest / d)
  }
  return `[${digits.join(", ")}]`
}

const isZero = (x: number): boolean => Object.is(x, 0)
const supportOf = (values: Float32Array): ReadonlyArray<number> =>
  [...values.keys()].filter((i) => !isZero(values[i] as number))

/** `float32[3] 0.5, -0, 1`, or for a large one what is not zero: `float32[64, 4] 0 but [3, 1] = 0.5`. */
export const show = ({ shape, values }: Pick<Sample, "shape" | "values">): string => {
  const head = `float32[${shape.join(", ")}]`
  if (values.length === 0) return head
  if (values.length <= shown) return `${head} ${[...values.keys()].map((i) => elementText(values, i)).join(", ")}`
  const support = supportOf(values)
  if (support.length === 0) return `${head} all 0`
  const first = support.slice(0, shown).map((i) => `${indexText(i, shape)} = ${elementText(values, i)}`)
  const more = support.length > shown ? ` and ${support.length - shown} more` : ""
  return `${head} 0 but ${first.join(", ")}${more}`
}

// ---- constructors -------------------------------------------------------------------------------------------

/** A sample of a shape. */
export const make = (shape: ReadonlyArray<number>, values: Float32Array): Sample => ({
  shape,
  values,
  [fc.toStringMethod]: () => show({ shape, values })
})

/** The sample as a tensor, bit by bit; it belongs to the caller. */
export const toTensor = ({ shape, values }: Pick<Sample, "shape" | "values">): tf.Tensor =>
  tf.tensor(values.slice(), [...shape], "float32")

/** The same shape with other elements. */
export const map = ({ shape, values }: Sample, f: (x: number, i: number) => number): Sample =>
  make(shape, values.map(f))

// ---- smaller ones -------------------------------------------------------------------------------------------

/** How far shrinking has come: what is left to be tried of a case that was reached there. */
type Progress =
  | { readonly stage: "shape" }
  | { readonly stage: "zeros"; readonly size: number; readonly at: number }
  | { readonly stage: "numbers"; readonly at: number }
type Candidate = readonly [Sample, Progress]

/** The part of a sample with `count` slices of one axis, from the slice `from` on. */
const part = ({ shape, values }: Sample, axis: number, from: number, count: number): Sample => {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const length = shape[axis] as number
  const kept = values.filter((_, i) => {
    const at = Math.floor(i / inner) % length
    return at >= from && at < from + count
  })
  return make(shape.with(axis, count), kept)
}

const smallerShapes = function* (sample: Sample, least: number): Generator<Candidate> {
  for (const [axis, length] of sample.shape.entries())
    if (length > least)
      for (const count of new Set([least, Math.ceil(length / 2), length - 1]))
        if (count >= least && count < length) {
          yield [part(sample, axis, 0, count), { stage: "shape" }]
          if (count > 0) yield [part(sample, axis, length - count, count), { stage: "shape" }]
        }
}

const finest = 64

/** Zeros in the place of a half, a quarter, … of the elements that are not zero. */
const moreZeros = function* (
  sample: Sample,
  from?: { readonly size: number; readonly at: number }
): Generator<Candidate> {
  const support = supportOf(sample.values)
  const least = Math.max(1, Math.floor(support.length / finest))
  let [size, at] = [Math.min(from?.size ?? support.length, support.length), from?.at ?? 0]
  while (size >= least && support.length > 0) {
    for (; at < support.length; at += size) {
      const values = sample.values.slice()
      for (const i of support.slice(at, at + size)) values[i] = 0
      yield [make(sample.shape, values), { stage: "zeros", size, at }]
    }
    if (size === 1) return
    ;[size, at] = [Math.ceil(size / 2), 0]
  }
}

/** Numbers that are simpler to read than this one, the simplest first. */
const plainer = (x: number): ReadonlyArray<number> => {
  if (Number.isNaN(x)) return [Number.NaN]
  if (!Number.isFinite(x) || x === 0) return []
  const size = 2 ** Math.floor(Math.log2(Math.abs(x)))
  const rounded = [1, 2, 8].map((k) => Math.fround((Math.round((x / size) * k) / k) * size))
  const small = [1, -1, Math.abs(x), Math.round(x), Math.round(2 * x) / 2]
  const all = [...small, ...rounded].filter((y) => Number.isFinite(y) && y !== 0)
  return [...new Set(all)].filter((y) => !Object.is(y, x) && costOf(y) < costOf(x))
}

/** How much there is to read. */
const costOf = (x: number): number => String(x).length + (x < 0 ? 1 : 0) + (Number.isInteger(x) ? 0 : 1)

const plainerNumbers = function* (sample: Sample, from: number): Generator<Candidate> {
  const support = supportOf(sample.values)
  if (support.length > finest) return
  for (let at = from; at < support.length; at++) {
    const i = support[at] as number
    for (const y of plainer(sample.values[i] as number)) {
      const values = sample.values.slice()
      values[i] = y
      if (bitsOf(values, i) !== bitsOf(sample.values, i))
        yield [make(sample.shape, values), { stage: "numbers", at: at + 1 }]
    }
  }
}

/** Everything that is tried next of a sample; `least` is the smallest length of an axis, absent where the shape is fixed. */
export const smaller = function* (
  sample: Sample,
  least?: number,
  progress: Progress = { stage: "shape" }
): Generator<Candidate> {
  if (progress.stage === "shape" && least !== undefined) yield* smallerShapes(sample, least)
  if (progress.stage !== "numbers") yield* moreZeros(sample, progress.stage === "zeros" ? progress : undefined)
  yield* plainerNumbers(sample, progress.stage === "numbers" ? progress.at : 0)
}

/** Samples whose elements `draw` draws, of an arbitrary shape; `least` as of `smaller`. */
export const arbitrary = (
  shapes: fc.Arbitrary<ReadonlyArray<number>>,
  draw: Draw,
  least?: number
): fc.Arbitrary<Sample> => new Samples(shapes, draw, least)

/** fast-check asks for a class where shrinking is one's own. */
class Samples extends fc.Arbitrary<Sample> {
  constructor(
    private readonly shapes: fc.Arbitrary<ReadonlyArray<number>>,
    private readonly draw: Draw,
    private readonly least: number | undefined
  ) {
    super()
  }
  override generate(random: fc.Random, bias: number | undefined): fc.Value<Sample> {
    const shape = this.shapes.generate(random, bias).value
    return new fc.Value(make(shape, this.draw(random, shape)), undefined)
  }
  override canShrinkWithoutContext(value: unknown): value is Sample {
    return typeof value === "object" && value !== null && "shape" in value && "values" in value
  }
  override shrink(sample: Sample, context: unknown): fc.Stream<fc.Value<Sample>> {
    const candidates = smaller(sample, this.least, context as Progress | undefined)
    return fc.stream(candidates).map(([next, progress]) => new fc.Value(next, progress))
  }
}

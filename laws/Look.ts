/**
 * One quantization in numbers: for each element what it was, what it became, and on which grid.
 *
 * Room: laws. Imports: tfjs, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Quantized } from "../src/core/TensorQuantizer.ts"
import type * as Catalogue from "../src/quant/Catalogue.ts"
import * as Sample from "./Sample.ts"
import * as Subject from "./Subject.ts"

/** All arrays have one number for each element of the input. */
export interface Look {
  readonly x: Float32Array
  readonly value: Float32Array
  readonly scale: Float32Array
  readonly zeroPoint: Float32Array
  /** the grid on which it rounds, where that is another one */
  readonly preScale: Float32Array
  readonly preZeroPoint: Float32Array
  readonly bits: number
}

const expanded = (x: tf.Tensor, shape: ReadonlyArray<number>): Float32Array =>
  Float32Array.from(tf.mul(x, tf.ones([...shape])).dataSync())

const looked = (x: Float32Array, quantized: Quantized): Look => {
  const { value, scale, zeroPoint, bitWidth } = quantized
  const whole = (one: tf.Tensor): Float32Array => expanded(one, value.shape)
  return {
    x,
    value: Float32Array.from(value.dataSync()),
    scale: whole(scale),
    zeroPoint: whole(zeroPoint),
    preScale: whole(quantized.preScale ?? scale),
    preZeroPoint: whole(quantized.preZeroPoint ?? zeroPoint),
    bits: bitWidth.dataSync()[0] as number
  }
}

/** Quantizes a sample; nothing is left of it but numbers. */
export const look = (ready: Subject.Ready, sample: Sample.Sample): Look =>
  tidied(() => looked(sample.values, Subject.quantize(ready, Sample.toTensor(sample))))

/** What `f` answers in numbers; its tensors are gone. */
export const tidied = <A>(f: () => A): A => {
  const answers: Array<A> = []
  tf.tidy(() => {
    answers.push(f())
  })
  return answers[0] as A
}

// ---- codes --------------------------------------------------------------------------------------------------

/** What an element is before the scale: an integer, or a number of the format of a minifloat. */
export const codeOf = ({ value, scale, zeroPoint }: Look, i: number): number =>
  (value[i] as number) / (scale[i] as number) + (zeroPoint[i] as number)

/** Where it would be before rounding. */
export const positionOf = ({ x, preScale, preZeroPoint }: Look, i: number): number =>
  (x[i] as number) / (preScale[i] as number) + (preZeroPoint[i] as number)

/** Float32 has 24 bits: the code of an element is known up to so much, less well far from the zero-point. */
export const slackAt = (one: Look, i: number): number =>
  2 ** -21 *
  Math.max(
    1,
    ...[codeOf(one, i), positionOf(one, i), one.zeroPoint[i], one.preZeroPoint[i]].map((v) => Math.abs(v as number))
  )

/** Elements that are on a grid: their scale is a positive number. */
export const onGrid = (one: Look): ReadonlyArray<number> =>
  [...one.x.keys()].filter((i) => {
    const [scale, pre] = [one.scale[i] as number, one.preScale[i] as number]
    return scale > 0 && pre > 0 && Number.isFinite(scale) && Number.isFinite(pre)
  })

/** The first element of which something is wrong, in words; or that nothing is. */
export const every = (
  indices: Iterable<number>,
  one: Look,
  wrong: (i: number) => string | false | undefined
): true | string => {
  for (const i of indices) {
    const text = wrong(i)
    if (text)
      return `element ${i}: ${Sample.elementText(one.x, i)} becomes ${Sample.elementText(one.value, i)}, ${text}`
  }
  return true
}

/** Whether two numbers are the same, NaN and the sign of zero included. */
export const same = (a: number | undefined, b: number | undefined): boolean => Object.is(a, b)
/** The same, but for the sign of zero. */
export const equal = (a: number | undefined, b: number | undefined): boolean =>
  a === b || (Number.isNaN(a) && Number.isNaN(b))

// ---- units --------------------------------------------------------------------------------------------------

/** The parts of a tensor that have a scale of their own: for each element the number of its part. */
export const unitsOf = ({ slot, scale }: Catalogue.Facts, shape: ReadonlyArray<number>): ReadonlyArray<number> => {
  const n = shape.reduce((a, b) => a * b, 1)
  const last = shape.at(-1) ?? 1
  const indices = Array.from({ length: n }, (_, i) => i)
  const size = scale?.groupSize ?? 1
  switch (scale?.per) {
    case "channel":
      return indices.map((i) => i % last)
    case "row":
      return indices.map((i) => Math.floor(i / last))
    case "group":
      return slot === "weight"
        ? indices.map((i) => Math.floor(i / last / size) * last + (i % last))
        : indices.map((i) => Math.floor(i / size))
    default:
      return indices.map(() => 0)
  }
}

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
  /** of what it answers */
  readonly shape: ReadonlyArray<number>
  readonly dtype: string
  /** what the input is afterwards */
  readonly after: Float32Array
  /** how many tensors are left of it, all that it answers apart */
  readonly left: number
}

/** One number for each element of a shape, of a tensor that is broadcast to it. */
const expanded = (one: tf.Tensor, shape: ReadonlyArray<number>): Float32Array => {
  const numbers = one.dataSync()
  const size = shape.reduce((a, b) => a * b, 1)
  if (numbers.length === 1) return new Float32Array(size).fill(numbers[0] as number)
  const padded = [...shape.map(() => 1), ...one.shape].slice(-shape.length)
  if (one.rank > shape.length || padded.some((d, axis) => d !== 1 && d !== shape[axis]))
    throw new Error(`what has the shape [${one.shape.join(", ")}] does not fit [${shape.join(", ")}]`)
  return Float32Array.from({ length: size }, (_, i) => {
    let [at, rest, stride] = [0, i, 1]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [length, own] = [shape[axis] as number, padded[axis] as number]
      if (own !== 1) at += (rest % length) * stride
      stride *= own
      rest = Math.floor(rest / length)
    }
    return numbers[at] as number
  })
}

const looked = (x: Float32Array, input: tf.Tensor, quantized: Quantized): Omit<Look, "left"> => {
  const { value, preScale, preZeroPoint, bitWidth } = quantized
  const whole = (one: tf.Tensor): Float32Array => expanded(one, value.shape)
  const [scale, zeroPoint] = [whole(quantized.scale), whole(quantized.zeroPoint)]
  return {
    x,
    value: Float32Array.from(value.dataSync()),
    scale,
    zeroPoint,
    preScale: preScale === undefined ? scale : whole(preScale),
    preZeroPoint: preZeroPoint === undefined ? zeroPoint : whole(preZeroPoint),
    bits: bitWidth.dataSync()[0] as number,
    shape: value.shape,
    dtype: value.dtype,
    after: Float32Array.from(input.dataSync())
  }
}

/** Quantizes a sample; nothing is left of it but numbers. */
export const fresh = (ready: Subject.Ready, sample: Sample.Sample): Look => {
  const before = tf.memory().numTensors
  const seen = tidied(() => {
    const input = Sample.toTensor(sample)
    return looked(sample.values, input, Subject.quantize(ready, input))
  })
  return { ...seen, left: tf.memory().numTensors - before }
}

const remembered = <K extends object, A>(memo: WeakMap<K, A>, key: K, make: () => A): A => {
  const found = memo.get(key)
  if (found !== undefined) return found
  const made = make()
  memo.set(key, made)
  return made
}
const looks = new WeakMap<Subject.Ready, WeakMap<Sample.Sample, Look>>()
const samples = new WeakMap<Look, Sample.Sample>()

/** The same, but a case that several laws see is quantized once: it is remembered as long as there is the case. */
export const look = (ready: Subject.Ready, sample: Sample.Sample): Look =>
  remembered(
    remembered(looks, ready, () => new WeakMap()),
    sample,
    () => fresh(ready, sample)
  )

/** What was quantized, quantized again. */
export const again = (ready: Subject.Ready, once: Look, { shape }: Sample.Sample): Look =>
  look(
    ready,
    remembered(samples, once, () => Sample.make(shape, once.value))
  )

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
export const slackAt = (one: Look, i: number): number => {
  const zeroPoints = Math.max(Math.abs(one.zeroPoint[i] as number), Math.abs(one.preZeroPoint[i] as number))
  return 2 ** -21 * Math.max(1, Math.abs(codeOf(one, i)), Math.abs(positionOf(one, i)), zeroPoints)
}

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

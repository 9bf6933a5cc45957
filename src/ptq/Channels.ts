/**
 * Weights as seen by the channels of their layer: which channel each element belongs to, on the side of the inputs or of the outputs.
 *
 * Room: ptq (level 5). Imports: `nn` types. Laws: test/ptq/Equalize.test.ts.
 */
import type { Form } from "../nn/Form.ts"

/** One side of a weight. */
export interface Side {
  /** how many channels there are */
  readonly count: number
  /** the channel of the element at a place */
  readonly channel: (at: number) => number
}

/** A layer whose weight has channels: those of its outputs, and of its inputs unless it normalizes them first. */
export type Channelled = Extract<
  Form,
  { readonly op: "linear" | "conv" | "convTranspose" | "scaleBias" | "batchNorm" | "layerNorm" }
>

/** Whether a layer has a weight whose channels can be scaled. */
export const isChannelled = (form: Form | undefined): form is Channelled => {
  switch (form?.op) {
    case "linear":
    case "conv":
    case "convTranspose":
    case "scaleBias":
    case "layerNorm":
      return true
    case "batchNorm":
      return form.over === "channels"
    default:
      return false
  }
}

/** Whether a factor of an input channel can be taken over by the weight. */
export const takesInputs = ({ op }: Channelled): boolean => op !== "batchNorm" && op !== "layerNorm"

const groupsOf = (form: Channelled): number => (form.op === "conv" || form.op === "convTranspose" ? form.groups : 1)

/** The last but one axis and the last one of a weight `[...kernel, a, b]`. */
const lastOf = (shape: ReadonlyArray<number>): readonly [a: number, b: number] => [
  shape.at(-2) as number,
  shape.at(-1) as number
]

const whole = (count: number): Side => ({ count, channel: (at) => at % count })

/** Along the axis before the last one, which is that of one of the groups that the last axis is divided into. */
const grouped = (shape: ReadonlyArray<number>, groups: number): Side => {
  const [a, b] = lastOf(shape)
  const each = b / groups
  return { count: a * groups, channel: (at) => (Math.floor(at / b) % a) + a * Math.floor((at % b) / each) }
}

/** The input channels of a weight of this shape. */
export const inputsOf = (form: Channelled, shape: ReadonlyArray<number>): Side =>
  form.op === "linear" || form.op === "conv" ? grouped(shape, groupsOf(form)) : whole(shape.at(-1) as number)

/** The output channels of a weight of this shape. */
export const outputsOf = (form: Channelled, shape: ReadonlyArray<number>): Side =>
  form.op === "convTranspose" ? grouped(shape, groupsOf(form)) : whole(shape.at(-1) as number)

// ---- on numbers ---------------------------------------------------------------------------------------------

/** The elements of each channel times its factor, in float32. */
export const times = (side: Side, data: Float32Array, factors: ArrayLike<number>): Float32Array =>
  data.map((value, at) => value * (factors[side.channel(at)] as number))

/** The elements of each channel, divided by its factor, in float32. */
export const over = (side: Side, data: Float32Array, factors: ArrayLike<number>): Float32Array =>
  data.map((value, at) => value / (factors[side.channel(at)] as number))

/** How the size of a channel is measured. */
export type Measure = "maxabs" | "range" | "l2"

/** What is known of a channel after some of its elements. */
interface Extent {
  low: number
  high: number
  sum: number
  squares: number
  count: number
}

const sizes: Readonly<Record<Measure, (extent: Extent) => number>> = {
  maxabs: ({ low, high }) => Math.max(Math.abs(low), Math.abs(high)),
  // of equal elements the size is their own
  range: ({ low, high, sum, count }) => (high > low ? high - low : Math.abs(sum / count)),
  l2: ({ squares }) => Math.sqrt(squares)
}

/**
 * The size of each channel: its largest magnitude, its span, or its Euclidean norm.
 *
 * - formula:  `max |w|`; `max w - min w`, of equal elements `|w|`; `sqrt(sum w^2)`
 * - shapes:   elements of a weight, further ones for each channel -> one number for each channel
 * - gradient: none
 * - errors:   none; a channel without elements has size 0
 * - source:   Brevitas, graph/equalize.py (scale_computation_type)
 *
 * @category channels
 * @since 0.4.0
 */
export const sizesOf = (
  side: Side,
  data: ArrayLike<number>,
  measure: Measure,
  more: ArrayLike<number> = []
): Float64Array => {
  const extents = Array.from(
    { length: side.count },
    (): Extent => ({ low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY, sum: 0, squares: 0, count: 0 })
  )
  const add = (channel: number, value: number): void => {
    const extent = extents[channel] as Extent
    if (value < extent.low) extent.low = value
    if (value > extent.high) extent.high = value
    extent.sum += value
    extent.squares += value * value
    extent.count += 1
  }
  for (let at = 0; at < data.length; at++) add(side.channel(at), data[at] as number)
  for (let channel = 0; channel < more.length; channel++) add(channel, more[channel] as number)
  return Float64Array.from(extents, (extent) => (extent.count === 0 ? 0 : sizes[measure](extent)))
}

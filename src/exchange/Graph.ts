/**
 * A model at one moment as a graph of plain data: its layers in the order in which they are called, with their weights and with the
 * grids of their quantizers. No tensor of TensorFlow.js is in it; nothing that happens to the model later changes it.
 *
 * Room: exchange (level 5). Imports: `core` types, `tensor`. Laws: test/exchange/Trace.test.ts.
 */
import type { FloatFormat } from "../core/TensorQuantizer.ts"

// ---- numbers ------------------------------------------------------------------------------------------------

/** Numbers in the layout of breve: channels last, weights with the output channel last. */
export interface Numbers {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

export type Rounding = "nearest" | "floor" | "ceil" | "toZero" | "other"

/** `(q - zeroPoint) * scale` for whole q from `low` to `high`. */
export interface IntegerGrid {
  readonly kind: "integer"
  readonly scale: Numbers
  readonly zeroPoint: Numbers
  readonly bits: number
  readonly signed: boolean
  readonly narrow: boolean
  readonly rounding: Rounding
}

/** What a quantizer makes of values. */
export type Grid =
  | IntegerGrid
  /** minus or plus the scale */
  | { readonly kind: "binary"; readonly scale: Numbers }
  /** minus the scale, 0 or the scale */
  | { readonly kind: "ternary"; readonly scale: Numbers }
  | {
      readonly kind: "minifloat"
      readonly scale: Numbers
      readonly format: FloatFormat
      readonly bits: number
      /** else there is nothing below 0 */
      readonly signed: boolean
      readonly largest: number
      readonly rounding: Rounding
    }

/** The lowest and the highest integer of a grid. */
export const boundsOf = ({
  bits,
  signed,
  narrow
}: Pick<IntegerGrid, "bits" | "signed" | "narrow">): readonly [low: number, high: number] => {
  const less = narrow ? 1 : 0
  return signed ? [less - 2 ** (bits - 1), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1 - less]
}

/** What a layer has learned, and what its quantizer makes of it. */
export interface Constant {
  readonly raw: Numbers
  readonly quantized?: { readonly value: Numbers; readonly grid: Grid }
}

// ---- nodes --------------------------------------------------------------------------------------------------

/** How windows lie on an image, in numbers; one for each of its axes. */
export interface Lie {
  readonly kernel: ReadonlyArray<number>
  readonly strides: ReadonlyArray<number>
  readonly dilations: ReadonlyArray<number>
  readonly pads: ReadonlyArray<readonly [before: number, after: number]>
}

/** Height and width. */
export type Size = readonly [height: number, width: number]

export type Operation =
  | { readonly op: "quantize"; readonly grid: Grid }
  /** integers cut to fewer bits: from the grid that they lie on to another one */
  | { readonly op: "truncate"; readonly from: IntegerGrid; readonly grid: IntegerGrid }
  | { readonly op: "relu" | "sigmoid" | "tanh" | "flatten" }
  | { readonly op: "add" }
  | { readonly op: "affine"; readonly factor: number; readonly offset: number }
  | { readonly op: "clip"; readonly low: number; readonly high: number }
  | { readonly op: "linear"; readonly weight: Constant; readonly bias: Constant | undefined }
  | { readonly op: "scaleBias"; readonly weight: Constant; readonly bias: Constant | undefined }
  | {
      readonly op: "conv"
      readonly weight: Constant
      readonly bias: Constant | undefined
      readonly groups: number
      readonly lie: Lie
    }
  | {
      readonly op: "convTranspose"
      readonly weight: Constant
      readonly bias: Constant | undefined
      readonly groups: number
      readonly outputPadding: ReadonlyArray<number>
      readonly lie: Lie
    }
  | { readonly op: "maxPool" | "averagePool"; readonly lie: Lie }
  | { readonly op: "concat"; readonly axis: number }
  /** larger or smaller images: `y[i] = x[floor(i from / to)]` along each axis */
  | { readonly op: "resizeNearest"; readonly from: Size; readonly to: Size }
  /** on straight lines between elements, at `(i + 1/2) from / to - 1/2`, or with the corners aligned */
  | { readonly op: "resizeLinear"; readonly from: Size; readonly to: Size; readonly alignCorners: boolean }
  /** over parts of an image from `floor(i from / to)` to `ceil((i + 1) from / to)` */
  | { readonly op: "averages"; readonly from: Size; readonly to: Size }
  /** rows of a table by their indices */
  | { readonly op: "gather"; readonly weight: Constant }
  /** over the last axis; a centered one takes the mean away */
  | {
      readonly op: "layerNorm"
      readonly centered: boolean
      readonly epsilon: number
      readonly weight: Numbers
      readonly bias: Numbers | undefined
    }
  | {
      readonly op: "batchNorm"
      readonly over: "channels" | "all"
      readonly epsilon: number
      readonly weight: Numbers
      readonly bias: Numbers
      readonly mean: Numbers
      readonly variance: Numbers
    }

/** One step: what it does to which values, and what it calls its answer. */
export interface Node {
  /** the path of the layer in the model */
  readonly layer: string
  readonly kind: string
  readonly operation: Operation
  readonly inputs: ReadonlyArray<string>
  readonly output: string
}

export interface Graph {
  readonly input: string
  /** the input are whole numbers below this one, and no floats */
  readonly indices?: number
  readonly output: string
  readonly nodes: ReadonlyArray<Node>
  /** the shapes of all values, the first axis that of the batch */
  readonly shapes: Readonly<Record<string, ReadonlyArray<number>>>
}

// ---- channels -----------------------------------------------------------------------------------------------

/**
 * The axis along which numbers vary that belong to a value of so many axes; undefined: there is one for all. "several": they vary
 * along more than one.
 */
export const axisOf = ({ shape, data }: Numbers, rank: number): number | undefined | "several" => {
  if (data.length === 1) return undefined
  const axes = shape.flatMap((size, i) => (size === 1 ? [] : [i + rank - shape.length]))
  return axes.length === 1 ? axes[0] : "several"
}

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

/** The same numbers with their axes in another order. */
export const permuted = ({ shape, data }: Numbers, order: ReadonlyArray<number>): Numbers => {
  const strides = shape.map((_, i) => product(shape.slice(i + 1)))
  const to = order.map((axis) => shape[axis] as number)
  const steps = order.map((axis) => strides[axis] as number)
  const out = new Float32Array(data.length)
  const index = to.map(() => 0)
  for (let i = 0, at = 0; i < out.length; i++) {
    out[i] = data[at] as number
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1
      at += steps[axis] as number
      if (next < (to[axis] as number)) {
        index[axis] = next
        break
      }
      index[axis] = 0
      at -= next * (steps[axis] as number)
    }
  }
  return { shape: to, data: out }
}

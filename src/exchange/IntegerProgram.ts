/**
 * A network of integers as data: what a device without floating point must compute, step by step.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts` types. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import type { IntegerGrid, Lie, Size } from "./Graph.ts"

/** Integers of a shape, row by row; channels last. */
export interface Integers {
  readonly shape: ReadonlyArray<number>
  readonly data: Int32Array
}

/**
 * What integers of a value mean: `(q - zeroPoint) * scale + offset`, one number for all or one for each channel, which is the last
 * axis. Only what a network answers has an offset.
 */
export interface Meaning {
  readonly scale: Float64Array
  readonly offset?: Float64Array
  readonly zeroPoint: number
  /** no integer lies outside, whatever the input */
  readonly low: number
  readonly high: number
}

/** The bounds of all sums of a layer on their way, and the bits of a signed accumulator for them. */
export interface Accumulator {
  readonly layer: string
  readonly low: number
  readonly high: number
  readonly bits: number
}

/** How integers come from one grid to another one: one number for all channels, or one for each. */
export interface Rescaling {
  /** `q' = clamp(round(multiplier (q - zeroPoint) + newZeroPoint), low, high)` */
  readonly multiplier: Float64Array
  /** multipliers that are `2^-shift`, all of them: a device shifts, rounding half to even; negative: to the left */
  readonly shift: Int32Array | undefined
  readonly zeroPoint: number
  readonly newZeroPoint: number
  readonly rounding: IntegerGrid["rounding"]
  readonly low: number
  readonly high: number
}

/** Integer weights and biases of a layer; weights come without their zero-points, inputs lose theirs on the way. */
export interface Learned {
  readonly weight: Integers
  /** on the grid of the sums */
  readonly bias: Int32Array | undefined
  readonly inputZeroPoint: number
}

/** One function of single floats that never turns: with its sign it rises, or falls, all along. */
export type Stage =
  /** one factor and offset for all, or one for each channel */
  | { readonly op: "affine"; readonly factor: Float64Array; readonly offset: Float64Array }
  | { readonly op: "clip"; readonly low: number; readonly high: number }
  | { readonly op: "relu" | "sigmoid" | "tanh" }

/**
 * How integers come through floats to another grid, as comparisons: `u = low + |{ k: sign q >= threshold_k }|`, `y = step u + base`.
 * A channel whose integers fall has the sign -1.
 */
export interface Comparing {
  /** `[channels, high - low]`, in order; one channel for all, or one for each */
  readonly thresholds: Integers
  readonly signs: Int32Array
  readonly low: number
  readonly high: number
  readonly step: number
  readonly base: number
  /** where the thresholds come from: the functions that put an integer to `u` before it is rounded */
  readonly stages: ReadonlyArray<Stage>
  readonly rounding: IntegerGrid["rounding"]
}

export type Operation =
  | ({ readonly op: "linear" | "scaleBias" } & Learned)
  | ({ readonly op: "conv"; readonly groups: number; readonly lie: Lie } & Learned)
  | ({
      readonly op: "convTranspose"
      readonly groups: number
      readonly outputPadding: ReadonlyArray<number>
      readonly lie: Lie
    } & Learned)
  | ({ readonly op: "rescale" } & Rescaling)
  | ({ readonly op: "thresholds" } & Comparing)
  | { readonly op: "relu"; readonly zeroPoint: number }
  | { readonly op: "maxPool"; readonly lie: Lie }
  /** without the division, which is in the scale */
  | { readonly op: "sumPool"; readonly lie: Lie; readonly zeroPoint: number }
  | { readonly op: "flatten" }
  /** `y[i] = x[floor(i from / to)]` along height and width */
  | { readonly op: "resizeNearest"; readonly from: Size; readonly to: Size }
  /** on straight lines, times the denominators of height and width: `IntegerResize.denominators` */
  | {
      readonly op: "resizeLinear"
      readonly from: Size
      readonly to: Size
      readonly alignCorners: boolean
      readonly zeroPoint: number
    }
  | { readonly op: "add"; readonly zeroPoints: readonly [number, number] }
  | { readonly op: "concat"; readonly axis: number }

/** A step of a network: an operation from values to a value, all by name. */
export interface Step {
  readonly layer: string
  readonly operation: Operation
  readonly inputs: ReadonlyArray<string>
  readonly output: string
}

/** How the floats of the outside become the first integers. */
export interface Input {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  /** minus or plus the scale become -1 and 1 */
  readonly grid: IntegerGrid | { readonly kind: "binary"; readonly scale: IntegerGrid["scale"] }
  /** what is done to the floats before, one after the other */
  readonly before?: ReadonlyArray<{ readonly factor: number; readonly offset: number }>
}

/** Integers in, integers out. */
export interface IntegerNetwork {
  readonly input: Input
  readonly output: { readonly name: string; readonly shape: ReadonlyArray<number> } & Meaning
  readonly steps: ReadonlyArray<Step>
  /** of all values, by name */
  readonly meanings: Readonly<Record<string, Meaning>>
  readonly accumulators: ReadonlyArray<Accumulator>
}

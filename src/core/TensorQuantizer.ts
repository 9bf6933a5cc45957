/**
 * A tensor quantizer: parameters, memory, and a pure function from a tensor to its quantized form.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `./Brick.ts`, `./View.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as ViewOp from "../op/View.ts"
import type * as Brick from "./Brick.ts"
import type { View } from "./View.ts"

/** A minifloat format: how many bits, and which codes are reserved. */
export interface FloatFormat {
  readonly exponentBitWidth: number
  readonly mantissaBitWidth: number
  readonly exponentBias: number
  /** whether values beyond the largest one become it, rather than infinite or NaN */
  readonly saturating: boolean
  /** mantissa codes that mean infinity at the largest exponent, such as "00" */
  readonly infValues: ReadonlyArray<string> | undefined
  readonly nanValues: ReadonlyArray<string> | undefined
}

/** The parts of a group-wise quantization before groups were merged back: `[..., groups, size, ...]`. */
export type Grouped = {
  readonly value: tf.Tensor
  /** one for each group */
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly size: number
  readonly dim: number
}

/** What quantization answers: the de-quantized value and what it is made of. */
export interface Quantized {
  /** `(q - zeroPoint) * scale`, shaped as the input */
  readonly value: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
  readonly grouped?: Grouped
}

/** What comes from outside: the format of the input that is requantized, or that a bias or accumulator depends on. */
export interface External {
  readonly scale?: tf.Tensor
  readonly zeroPoint?: tf.Tensor
  readonly bitWidth?: tf.Tensor
  readonly signed?: boolean
}

export interface TensorQuantizer extends Brick.Stateful<readonly [x: tf.Tensor, external?: External], Quantized> {
  /** the format of a minifloat quantizer */
  readonly float?: FloatFormat
}

/** Quantizes with the quantizer's initial parameters and memory: for looking at it outside of training. */
export const quantize = (self: TensorQuantizer, x: tf.Tensor, training = false, external?: External): Quantized => {
  const state = { parameters: self.parameters, memory: self.memory, training, tracked: [x] }
  return self.apply({ ...state, ...self.prepare(state) }, x, external)[0]
}

/** Groups merged back into the shape of the input; what was not grouped stays as it is. */
export const merged = (quantized: Quantized, view: View, shape: ReadonlyArray<number>): Quantized => {
  if (view.groups === undefined) return quantized
  const { size, dim } = view.groups
  const { value, scale, zeroPoint } = quantized
  const whole = (x: tf.Tensor): tf.Tensor => ViewOp.ungroup(x, size, dim, shape)
  return {
    ...quantized,
    value: whole(value),
    scale: whole(scale),
    zeroPoint: whole(zeroPoint),
    grouped: { value, scale, zeroPoint, size, dim }
  }
}

type Run = (state: Brick.State, x: tf.Tensor, fixedScale?: tf.Tensor) => Brick.Answer<Quantized>

/**
 * Lets the statistics of a quantizer's scale and zero-point search: they may quantize with statistics on trial. While the
 * zero-point searches, the scale is the one already found.
 */
export const searching = (
  run: Run,
  scaleOf: (state: Brick.State, x: tf.Tensor) => tf.Tensor
): {
  readonly forScale: (state: Brick.State) => Brick.State
  readonly forZeroPoint: (state: Brick.State, scale?: tf.Tensor) => Brick.State
} => {
  const within = (state: Brick.State, attempt: Brick.State["attempt"]): Brick.State =>
    state.trial === undefined ? { ...state, attempt } : state
  return {
    forScale: (state) => within(state, (x, trial) => run({ ...state, tracked: undefined, trial }, x)[0]),
    forZeroPoint: (state, scale) => {
      const fixed: { scale?: tf.Tensor | undefined } = { scale }
      return within(state, (x, trial) => {
        fixed.scale ??= scaleOf(state, x)
        return run({ ...state, tracked: undefined, trial }, x, fixed.scale)[0]
      })
    }
  }
}

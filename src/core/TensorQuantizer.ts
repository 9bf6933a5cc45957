/**
 * A tensor quantizer: parameters, memory, and a pure function from a tensor to its quantized form.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./Brick.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Host from "../tensor/Host.ts"
import { MissingInput } from "../tensor/LayerErrors.ts"
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
  /** the scale and the zero-point before rounding, of a quantizer that has its own for that */
  readonly preScale?: tf.Tensor
  readonly preZeroPoint?: tf.Tensor
  /** what the input becomes itself: a clamp that writes has put the values beyond its range back into it */
  readonly input?: tf.Tensor
}

/** What comes from outside: the format of the input that is requantized, or that a bias or accumulator depends on. */
export interface External {
  readonly scale?: tf.Tensor
  readonly zeroPoint?: tf.Tensor
  readonly bitWidth?: tf.Tensor
  readonly signed?: boolean
}
/** One part of a format. */
export type Needed = keyof External

/** A brick from a tensor, and what comes from outside, to its quantized form. */
export interface TensorQuantizer extends Brick.Stateful<readonly [x: tf.Tensor, external?: External], Quantized> {
  /** the format of a minifloat quantizer */
  readonly float?: FloatFormat
  /** what must come from outside; absent: nothing. `apply` trusts that it is there, see `checked` */
  readonly needs?: ReadonlyArray<Needed>
}

/** What the quantizer (known by `name`) needs from outside and does not get: for the borders, before `apply`. */
export const checked = (self: TensorQuantizer, external: External = {}, name = ""): MissingInput | undefined => {
  const missing = (self.needs ?? []).filter((part) => external[part] === undefined)
  return missing.length === 0 ? undefined : new MissingInput({ quantizer: name || self.label, missing })
}

/** What a quantizer with `needs` was given from outside, where the borders have checked it. */
export const given = <Name extends Needed>(
  self: string,
  external: External | undefined,
  name: Name
): NonNullable<External[Name]> => {
  const value = external?.[name]
  if (value === undefined || value === null) throw new MissingInput({ quantizer: self, missing: [name] })
  return value as NonNullable<External[Name]>
}

/** Quantizes with the quantizer's initial parameters and memory: for looking at it outside of training. */
export const quantize = (self: TensorQuantizer, x: tf.Tensor, training = false, external?: External): Quantized => {
  const state = { parameters: self.parameters, memory: self.memory, training, tracked: [x] }
  return self.apply({ ...state, ...self.prepare(state) }, x, external)[0]
}

/** What `make` answers, made when it is first asked for. */
const lazily = <A>(make: () => A): (() => A) => {
  const made: Array<A> = []
  return () => {
    if (made.length === 0) made.push(make())
    return made[0] as A
  }
}

/**
 * Groups merged back into the shape of the input; what was not grouped stays as it is. Scale and zero-point, which take as much memory
 * as the value, are repeated over their groups when they are first read: many look at the value alone.
 */
export const merged = (quantized: Quantized, view: View, shape: ReadonlyArray<number>): Quantized => {
  if (view.groups === undefined) return quantized
  const { size, dim, merged } = view.groups
  const { value, scale, zeroPoint, input } = quantized
  const whole = (x: tf.Tensor): tf.Tensor => merged(x, shape)
  const scales = lazily(() => whole(scale))
  const zeroPoints = lazily(() => whole(zeroPoint))
  return {
    ...quantized,
    ...(input !== undefined && { input: whole(input) }),
    value: whole(value),
    get scale() {
      return scales()
    },
    get zeroPoint() {
      return zeroPoints()
    },
    grouped: { value, scale, zeroPoint, size, dim }
  }
}

type Run = (state: Brick.State, x: tf.Tensor, fixedScale?: tf.Tensor) => Brick.Answer<Quantized>

/** What `make` answers first, anew at each call: an attempt's tensors do not outlive it. */
const once = (make: () => tf.Tensor): (() => tf.Tensor) => {
  const found: Array<{ readonly values: Float32Array; readonly shape: Array<number> }> = []
  return () => {
    if (found[0] === undefined) {
      const made = make()
      found.push({ values: Host.floats(made).slice(), shape: made.shape })
    }
    const { values, shape } = found[0] as (typeof found)[number]
    return tf.tensor(values, shape)
  }
}

const within = (state: Brick.State, attempt: Brick.State["attempt"]): Brick.State =>
  state.trial === undefined ? { ...state, attempt } : state
const trying = (state: Brick.State, trial: Brick.Trial): Brick.State => ({
  ...state,
  tracked: undefined,
  observing: false,
  trial
})

/**
 * Lets the statistics of a quantizer's scale and zero-point search: they may quantize with statistics on trial. While the
 * zero-point searches, the scale is the one given, or that of `scaleOf`. An attempt quantizes also where the quantizer only looks.
 */
export const searching = (
  run: Run,
  scaleOf: (state: Brick.State, x: tf.Tensor) => tf.Tensor
): {
  readonly forScale: (state: Brick.State) => Brick.State
  readonly forZeroPoint: (state: Brick.State, scale?: tf.Tensor | (() => tf.Tensor)) => Brick.State
} => ({
  forScale: (state) => within(state, (x, trial) => run(trying(state, trial), x)[0]),
  forZeroPoint: (state, scale) => {
    const seen: { scale?: () => tf.Tensor } = {}
    return within(state, (x, trial) => {
      const given = scale ?? (() => scaleOf(state, x))
      seen.scale ??= typeof given === "function" ? once(given) : () => given
      return run(trying(state, trial), x, seen.scale())[0]
    })
  }
})

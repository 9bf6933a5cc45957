/**
 * What the threshold of a scaling is divided by: the integer that the threshold is mapped to.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./BitWidth.ts`, `./Brick.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Range from "../op/Range.ts"
import * as Constant from "../tensor/Constant.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import { type BitWidth, positive } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"

/** The integer that the scaling's threshold is mapped to; `signed` is that of the input where nothing is declared (truncation). */
export interface IntScaling extends Brick.Stateless<readonly [bitWidth: tf.Tensor, signed?: boolean], tf.Tensor> {
  /** whether one integer is left out, so that one bit has none but 0 */
  readonly narrow?: boolean
}

/** The bit-width of a quantizer with this threshold, refused if there is nothing to map the threshold to. */
export const widthFor = (bitWidth: BitWidth, { label, narrow }: IntScaling): BitWidth => {
  const reason = "leaves one bit no value but 0: take the full range, or more bits"
  if (narrow === true && bitWidth.fixed === 1) throw new InvalidOptions({ what: label, option: "narrowRange", reason })
  return positive(bitWidth)
}

const intScaling = (
  label: string,
  declared: boolean | undefined,
  of: (bitWidth: tf.Tensor, signed: boolean) => tf.Tensor,
  narrow = false
): IntScaling =>
  Brick.make(
    label,
    {},
    {},
    {
      narrow,
      apply: (bitWidth: tf.Tensor, told?: boolean) => {
        const signed = told ?? declared
        if (signed === undefined)
          throw new InvalidOptions({
            what: label,
            option: "signed",
            reason: "is neither declared nor known from the input"
          })
        return of(bitWidth, signed)
      }
    }
  )

/**
 * The magnitude of the integer at the end of the range.
 *
 * - formula:  `signed: -min (128 of 8 bits, 127 if narrow); unsigned: max (255 of 8 bits)`
 * - shapes:   `b [] -> y []`
 * - gradient: that of the end of the range to the bit-width
 * - errors:   InvalidOptions when called, if neither the declaration nor the call says whether it is signed
 * - source:   Brevitas, core/scaling/int_scaling.py
 */
export const IntScaling = Injector.component(
  "IntScaling",
  {
    /** absent: told at the call */
    signed: Injector.optional<boolean | undefined>(undefined),
    narrowRange: Injector.required<boolean>()
  },
  ({ signed: declared, narrowRange }) =>
    intScaling(
      "IntScaling",
      declared,
      (bitWidth, signed) => {
        const range = { signed, narrowRange }
        const bits = Constant.numberOf(bitWidth)
        if (bits !== undefined)
          return Constant.scalar(signed ? -Range.smallest(bits, range) : Range.largest(bits, range))
        return signed ? tf.neg(Range.minInt(bitWidth, range)) : Range.maxInt(bitWidth, range)
      },
      narrowRange
    )
)

/**
 * The number of integers of one sign, a power of two.
 *
 * - formula:  `max + 1` of the full range: 128 of 8 signed bits, 256 of 8 unsigned ones
 * - shapes:   `b [] -> y []`
 * - gradient: `db = dy * ln 2 * y`
 * - errors:   InvalidOptions when called, if neither the declaration nor the call says whether it is signed
 * - source:   Brevitas, core/scaling/int_scaling.py
 */
export const PowerOfTwoIntScaling = Injector.component(
  "PowerOfTwoIntScaling",
  { signed: Injector.optional<boolean | undefined>(undefined) },
  ({ signed: declared }) =>
    intScaling("PowerOfTwoIntScaling", declared, (bitWidth, signed) => {
      const range = { signed, narrowRange: false }
      const bits = Constant.numberOf(bitWidth)
      return bits === undefined
        ? tf.add(Range.maxInt(bitWidth, range), 1)
        : Constant.scalar(Range.largest(bits, range) + 1)
    })
)

/**
 * A threshold of its own, whatever the bit-width is: 1 for scales that are learned divided by their threshold already.
 *
 * - formula:  `y = intScalingConst`
 * - shapes:   `b [] -> y []`
 * - gradient: none
 * - errors:   InvalidOptions for a constant that is not positive
 * - source:   Brevitas, core/utils.py
 *
 * @since 0.2.0
 */
export const SingleArgStatelessBuffer = Brick.component(
  "SingleArgStatelessBuffer",
  { intScalingConst: Injector.optional(1) },
  ({ intScalingConst }): IntScaling => {
    if (!(intScalingConst > 0))
      throw new InvalidOptions({
        what: "SingleArgStatelessBuffer",
        option: "intScalingConst",
        reason: `must be positive; it is ${intScalingConst}`
      })
    return Brick.make(
      "SingleArgStatelessBuffer",
      { const: Brick.shown("StatelessBuffer") },
      {},
      { apply: () => Constant.scalar(intScalingConst) }
    )
  }
)

/**
 * How many bits a quantizer has.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./Persistence.ts`, `./Restriction.ts`, `./Rounding.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Clamp from "../op/Clamp.ts"
import * as Sign from "../op/Sign.ts"
import * as Constant from "../tensor/Constant.ts"
import * as Host from "../tensor/Host.ts"
import { InvalidOptions, MissingInput } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import type * as Persistence from "./Persistence.ts"
import * as Restriction from "./Restriction.ts"
import { RoundSte } from "./Rounding.ts"

/** Answers the bit-width as a scalar; some depend on the width of the input. */
export interface BitWidth extends Brick.Stateful<readonly [inputBitWidth?: tf.Tensor | undefined], tf.Tensor> {
  /** the width, where it never changes */
  readonly fixed?: number
}

const smallestLearned = 2
const largest = 32

/** The number itself if it is whole and in the range. */
const whole = (what: string, option: string, value: number, low: number, high = largest): number => {
  if (!(Number.isInteger(value) && value >= low && value <= high))
    throw new InvalidOptions({ what, option, reason: `must be a whole number from ${low} to ${high}, not ${value}` })
  return value
}

/** The same bit-width, refused if it is 0: a width that is taken away may be 0, that of a quantizer may not. */
export const positive = (bitWidth: BitWidth): BitWidth => {
  if (bitWidth.fixed !== undefined) whole(bitWidth.label, "bitWidth", bitWidth.fixed, 1)
  return bitWidth
}

const buffered = { bitWidth: Brick.shown("StatelessBuffer") }

/** The bit-width `bitWidth`, fixed: a new scalar at each call, so that a brick has nothing to release. */
export const BitWidthConst = Brick.component(
  "BitWidthConst",
  { bitWidth: Injector.required<number>() },
  ({ bitWidth }): BitWidth => {
    const fixed = whole("BitWidthConst", "bitWidth", bitWidth, 0)
    return Brick.make("BitWidthConst", buffered, {}, { fixed, apply: () => [Constant.scalar(fixed), {}] as const })
  }
)

/**
 * The bit-width `bitWidth`, fixed, but saved and loaded with the parameters; no gradient reaches it.
 *
 * @since 0.2.0
 */
export const BitWidthStatefulConst = Brick.component(
  "BitWidthStatefulConst",
  { bitWidth: Injector.required<number>() },
  ({ bitWidth }): BitWidth =>
    Brick.make(
      "BitWidthStatefulConst",
      {},
      { parameters: { bitWidth: tf.scalar(whole("BitWidthStatefulConst", "bitWidth", bitWidth, 1)) } },
      { apply: ({ parameters }: Brick.State) => [Host.map(parameters.bitWidth as tf.Tensor, (b) => b), {}] as const }
    )
)

/** Whether a load leaves the width as it was declared. */
const overridePretrainedBitWidth = Injector.optional(false)
const keeping = (kept: boolean): Persistence.Persistence => ({
  saved: ({ parameters }) => parameters,
  loaded: (own, saved) => (kept ? own : { ...own, parameters: { ...own.parameters, ...saved } })
})

const nearest = Restriction.IntRestrictValue({ restrictValueFloatToIntImpl: RoundSte({}) })

/**
 * A learned bit-width that does not fall below `minBitWidth`.
 *
 * - formula:  `b = R(|bitWidthOffset| + I(minBitWidth))`, at first `bitWidthOffset = I(bitWidth) - I(minBitWidth)`
 * - shapes:   `-> b []`
 * - gradient: through the restriction to `bitWidthOffset`, with slope 1 at 0
 * - errors:   `ConstructionFailed` unless 2 <= minBitWidth <= bitWidth <= 32, both whole
 * - source:   Brevitas, core/bit_width/parameter.py
 *
 * @since 0.2.0
 */
export const BitWidthParameter = Brick.component(
  "BitWidthParameter",
  {
    bitWidth: Injector.required<number>(),
    minBitWidth: Injector.optional(smallestLearned),
    restrictBitWidthImpl: Injector.optional<Restriction.Restriction>(nearest),
    overridePretrainedBitWidth
  },
  ({ bitWidth, minBitWidth, restrictBitWidthImpl, overridePretrainedBitWidth: kept }): BitWidth => {
    const least = whole("BitWidthParameter", "minBitWidth", minBitWidth, smallestLearned)
    const first = whole("BitWidthParameter", "bitWidth", bitWidth, least)
    const into = (bits: number): tf.Tensor => tf.tidy(() => restrictBitWidthImpl.init(tf.scalar(bits)).clone())
    const base = into(least)
    const bitWidthOffset = tf.tidy(() => tf.sub(into(first), base))
    return Brick.make(
      "BitWidthParameter",
      { restrictBitWidthImpl },
      {
        parameters: { bitWidthOffset },
        constants: [base],
        persistence: {
          ...keeping(kept),
          // what a fixed width has saved
          aliases: {
            bitWidth: { name: "bitWidthOffset", convert: (b) => tf.sub(restrictBitWidthImpl.init(b), base) }
          }
        }
      },
      {
        apply: ({ parameters }: Brick.State) => {
          const above = Sign.magnitudeRising(parameters.bitWidthOffset as tf.Tensor)
          return [restrictBitWidthImpl.apply(tf.add(above, base)), {}] as const
        }
      }
    )
  }
)

/**
 * A learned number of bits to take away, for `MsbClampBitWidth`.
 *
 * - formula:  `b = 1 / (nonZeroEpsilon + |bitWidthCoeff|)`, at first `bitWidthCoeff = 1 / (bitWidthToRemove or removeZeroBitWidth)`
 * - shapes:   `-> b []`
 * - gradient: to `bitWidthCoeff`, 0 at 0
 * - errors:   `ConstructionFailed` unless `bitWidthToRemove` is whole and in 0..32 and the others are positive
 * - source:   Brevitas, core/bit_width/parameter.py
 *
 * @since 0.2.0
 */
export const RemoveBitwidthParameter = Brick.component(
  "RemoveBitwidthParameter",
  {
    bitWidthToRemove: Injector.required<number>(),
    nonZeroEpsilon: Injector.optional(1e-6),
    /** what stands for 0 bits to remove at first */
    removeZeroBitWidth: Injector.optional(0.1),
    overridePretrainedBitWidth
  },
  ({ bitWidthToRemove, nonZeroEpsilon, removeZeroBitWidth, overridePretrainedBitWidth: kept }): BitWidth => {
    const what = "RemoveBitwidthParameter"
    const removed = whole(what, "bitWidthToRemove", bitWidthToRemove, 0)
    for (const [option, value] of Object.entries({ nonZeroEpsilon, removeZeroBitWidth }))
      if (!(value > 0)) throw new InvalidOptions({ what, option, reason: `must be positive, not ${value}` })
    return Brick.make(
      what,
      {},
      {
        parameters: { bitWidthCoeff: tf.scalar(1 / (removed === 0 ? removeZeroBitWidth : removed)) },
        persistence: keeping(kept)
      },
      {
        apply: ({ parameters }: Brick.State) => {
          const magnitude = Sign.magnitude(parameters.bitWidthCoeff as tf.Tensor)
          return [tf.div(1, tf.add(magnitude, nonZeroEpsilon)), {}] as const
        }
      }
    )
  }
)

/**
 * The bit-width of the input with some bits taken away, within bounds.
 *
 * - formula:  `b = clamp(|inputBitWidth - removed|, minOverallBitWidth, maxOverallBitWidth)`
 * - shapes:   `inputBitWidth [] -> b []`
 * - gradient: `db = sign(inputBitWidth - removed) * dy`: the clamp is straight-through, the magnitude is not
 * - errors:   `ConstructionFailed` unless 1 <= min <= max <= 32, both whole; a call without `inputBitWidth` is a `MissingInput`
 * - source:   Brevitas, core/bit_width/const.py
 *
 * @since 0.2.0
 */
export const MsbClampBitWidth = Brick.component(
  "MsbClampBitWidth",
  {
    bitWidthToRemoveImpl: Injector.required<BitWidth>(),
    minOverallBitWidth: Injector.required<number>(),
    maxOverallBitWidth: Injector.required<number>()
  },
  (given): BitWidth => {
    const { bitWidthToRemoveImpl } = given
    const low = whole("MsbClampBitWidth", "minOverallBitWidth", given.minOverallBitWidth, 1)
    const high = whole("MsbClampBitWidth", "maxOverallBitWidth", given.maxOverallBitWidth, low)
    const minOverallBitWidth = BitWidthConst({ bitWidth: low })
    const maxOverallBitWidth = BitWidthConst({ bitWidth: high })
    return Brick.make(
      "MsbClampBitWidth",
      { minOverallBitWidth, maxOverallBitWidth, bitWidthToRemoveImpl },
      {},
      {
        apply: (state: Brick.State, inputBitWidth?: tf.Tensor) => {
          if (inputBitWidth === undefined)
            throw new MissingInput({ quantizer: "MsbClampBitWidth", missing: ["bitWidth"] })
          const [removed, after] = Brick.call(bitWidthToRemoveImpl, state, "bitWidthToRemoveImpl")
          const left = Sign.magnitude(tf.sub(inputBitWidth, removed))
          const [least] = Brick.call(minOverallBitWidth, state, "minOverallBitWidth")
          const [most] = Brick.call(maxOverallBitWidth, state, "maxOverallBitWidth")
          const memory = Brick.remembered(state.memory, { bitWidthToRemoveImpl: after })
          return [Clamp.betweenStraightThrough(left, least, most), memory] as const
        }
      }
    )
  }
)

/**
 * From the distance of the smallest value from 0 to a zero-point: scaled, and shifted to the lowest integer of the range.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`, `./Clamp.ts`, `./Rounding.ts`, `./TensorQuantizer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Range from "../op/Range.ts"
import * as Brick from "./Brick.ts"
import type { Clamp } from "./Clamp.ts"
import { type Rounding, rounded } from "./Rounding.ts"
import type { TensorQuantizer } from "./TensorQuantizer.ts"

/** Answers the zero-point of a value that lies `v` below 0. */
export type ScaleShift = Brick.Stateful<readonly [v: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor], tf.Tensor>

const range = { signed: Injector.required<boolean>(), narrowRange: Injector.required<boolean>() }

/** The integers of the quantizer that the zero-point serves. */
export const dependencies = {
  ...range,
  floatToIntImpl: Injector.required<Rounding>(),
  tensorClampImpl: Injector.required<Clamp>(),
  /** whether the zero-point is an integer of the range itself */
  quantizeZeroPoint: Injector.required<boolean>()
}
export type Given = Injector.AllOf<typeof dependencies>

/**
 * The zero-point of integers, whole or as it comes.
 *
 * - formula:  `z = v / scale + min`; quantized: `z = clamp(round(v / scale + min), min, max)`
 * - shapes:   `v, scale broadcast to [...d] -> z [...d]`
 * - gradient: `dv = dz / scale`, and to scale and bit-width; quantized: straight-through the rounding, then by the clamp
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/zero_point.py (_ScaleShiftZeroPoint)
 */
export const make = (given: Given): ScaleShift =>
  Brick.make(
    "_ScaleShiftZeroPoint",
    {},
    {},
    {
      apply: (_: Brick.State, v: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
        const low = Range.minInt(bitWidth, given)
        const shifted = tf.add(tf.div(v, scale), low)
        if (!given.quantizeZeroPoint) return [shifted, {}] as const
        const high = Range.maxInt(bitWidth, given)
        return [given.tensorClampImpl.apply(rounded(given.floatToIntImpl, shifted), low, high), {}] as const
      }
    }
  )

/** The state of a quantizer inside: it has nothing of the search that may go on outside. */
const inside = (state: Brick.State, tracked: Brick.State["tracked"]): Brick.State => ({
  ...state,
  tracked,
  attempt: undefined,
  trial: undefined
})

/**
 * A zero-point whose value is quantized first, by a quantizer of its own.
 *
 * - formula:  `z = zpIntQuant(v) / scale + min`
 * - shapes:   `v, scale broadcast to [...d] -> z [...d]`
 * - gradient: through the inner quantizer to v; to scale and bit-width
 * - errors:   none; NaN passes
 * - source:   Brevitas, core/zero_point.py (_ScaleShiftQuantZeroPoint)
 *
 * @since 0.2.0
 */
export const ScaleShiftQuantZeroPoint = Injector.component(
  "_ScaleShiftQuantZeroPoint",
  { zpIntQuant: Injector.required<TensorQuantizer>(), ...range },
  ({ zpIntQuant, ...given }): ScaleShift =>
    Brick.make(
      "_ScaleShiftQuantZeroPoint",
      { zpIntQuant },
      {},
      {
        // `tracked` are the values that lie below 0 here
        prepare: (state: Brick.State) => {
          const within = inside(state, state.tracked)
          const { parameters, memory } = Brick.prepareChild(zpIntQuant, within, "zpIntQuant")
          return { parameters, memory }
        },
        apply: (state: Brick.State, v: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const [{ value }, after] = Brick.call(zpIntQuant, inside(state, [v]), "zpIntQuant", v)
          const z = tf.add(tf.div(value, scale), Range.minInt(bitWidth, given))
          return [z, Brick.remembered(state.memory, { zpIntQuant: after })] as const
        }
      }
    )
)

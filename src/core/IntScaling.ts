/**
 * What the threshold of a scaling is divided by: the integer, or the minifloat, that the threshold is mapped to.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Range from "../op/Range.ts"
import * as Brick from "./Brick.ts"

/** The integer that the scaling's threshold is mapped to. */
export type IntScaling = Brick.Stateless<readonly [bitWidth: tf.Tensor], tf.Tensor>

const intScaling = (label: string, apply: (bitWidth: tf.Tensor) => tf.Tensor): IntScaling =>
  Brick.make(label, {}, {}, { apply })

/** `-min` of a signed format (128 of 8 bits, 127 if narrow), `max` of an unsigned one. */
export const IntScaling = Injector.component(
  "IntScaling",
  { signed: Injector.required<boolean>(), narrowRange: Injector.required<boolean>() },
  (range) =>
    intScaling("IntScaling", (bitWidth) =>
      range.signed ? tf.neg(Range.minInt(bitWidth, range)) : Range.maxInt(bitWidth, range)
    )
)

/** `max + 1` of the full range: 128 of 8 signed bits, 256 of 8 unsigned ones. */
export const PowerOfTwoIntScaling = Injector.component(
  "PowerOfTwoIntScaling",
  { signed: Injector.required<boolean>() },
  ({ signed }) =>
    intScaling("PowerOfTwoIntScaling", (bitWidth) => tf.add(Range.maxInt(bitWidth, { signed, narrowRange: false }), 1))
)

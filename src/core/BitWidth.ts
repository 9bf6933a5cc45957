/**
 * How many bits a quantizer has.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Brick from "./Brick.ts"

/** Answers the bit-width as a scalar; some depend on the width of the input. */
export type BitWidth = Brick.Stateful<readonly [inputBitWidth?: tf.Tensor | undefined], tf.Tensor>

/** The bit-width `bitWidth`, fixed. */
export const BitWidthConst = Brick.component(
  "BitWidthConst",
  { bitWidth: Injector.required<number>() },
  ({ bitWidth }): BitWidth => {
    const bits = tf.scalar(bitWidth)
    return Brick.make(
      "BitWidthConst",
      { bitWidth: Brick.shown("StatelessBuffer") },
      { constants: [bits] },
      { apply: () => [bits, {}] as const }
    )
  }
)

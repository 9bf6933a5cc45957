/**
 * Where the integer zero lies.
 *
 * Room: core (level 2). Imports: tfjs, `./Brick.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Brick from "./Brick.ts"

/** Answers the zero-point z of `q = x / scale + z`. */
export type ZeroPoint = Brick.Stateful<readonly [x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor], tf.Tensor>

/** The zero-point 0: symmetric quantization. */
export const ZeroZeroPoint = Brick.component("ZeroZeroPoint", {}, (): ZeroPoint => {
  const zero = tf.scalar(0)
  return Brick.make(
    "ZeroZeroPoint",
    { zeroPoint: Brick.shown("StatelessBuffer") },
    { constants: [zero] },
    { apply: () => [zero, {}] as const }
  )
})

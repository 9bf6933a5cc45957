/**
 * Quantization that begins only after some steps.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"

/** Chooses between the float value `x` and the quantized value `y`. */
export type Delay = Brick.Stateful<readonly [x: tf.Tensor, y: tf.Tensor], tf.Tensor>

const never: Delay["apply"] = (_, __, y) => [y, {}]

const counted: Delay["apply"] = ({ memory, trial }, x, y) => {
  if (trial !== undefined) return [y, memory]
  const remaining = Number(memory.remaining)
  return remaining > 0 ? [x, { remaining: remaining - 1 }] : [y, memory]
}

const delayed = { delayImpl: Brick.shown("_DelayQuant") }
const undelayed: Delay = { ...Brick.shown("DelayWrapper", { delayImpl: Brick.shown("_NoDelay") }), apply: never }

/**
 * Answers `x` for the first `steps` calls, in training and evaluation alike, and `y` from then on; calls of a statistic that
 * searches do not count. No steps, or fewer: never a delay.
 */
export const make = (steps: number): Delay => {
  if (!Number.isInteger(steps))
    throw new InvalidOptions({ what: "DelayWrapper", option: "quantDelaySteps", reason: `is not whole: ${steps}` })
  return steps > 0
    ? Brick.make("DelayWrapper", delayed, { memory: { remaining: steps } }, { apply: counted })
    : undelayed
}

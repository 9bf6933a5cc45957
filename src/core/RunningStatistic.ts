/**
 * Averages of statistics over calls.
 *
 * Room: core (level 2). Imports: tfjs, `./Brick.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Brick from "./Brick.ts"
import * as Statistic from "./Statistic.ts"
import type { View } from "./View.ts"

/**
 * The average after one more value: `buffer * s` for the first one, then `(1 - m) * buffer + m * s`, or without a momentum the
 * true mean.
 */
export const averaged = (buffer: tf.Tensor, counter: number, s: tf.Tensor, momentum: number | undefined): tf.Tensor =>
  counter === 0
    ? tf.mul(buffer, s)
    : momentum === undefined
      ? tf.add(tf.div(tf.mul(buffer, counter), counter + 1), tf.div(s, counter + 1))
      : tf.add(tf.mul(buffer, 1 - momentum), tf.mul(s, momentum))

/** In training the statistic of the input, which is averaged; in evaluation the average. */
export const make = (given: {
  readonly statsImpl: Statistic.Statistic
  readonly view: View
  readonly shape: ReadonlyArray<number> | undefined
  readonly momentum: number | undefined
}): Statistic.Statistic => {
  const stats = Statistic.shaped(given.statsImpl, given.shape, "scale")
  const memory = { runningStats: tf.ones([...(given.shape ?? [])]), counter: 0 }
  return Brick.make(
    "_RuntimeStats",
    { statsInputViewShapeImpl: given.view, stats },
    { memory },
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const runningStats = state.memory.runningStats as tf.Tensor
        if (!state.training && state.trial === undefined) return [runningStats, state.memory] as const
        const [s, afterStats] = Brick.call(stats, state, "stats", Statistic.seen(given.statsImpl, given.view, x))
        const counter = Number(state.memory.counter)
        const next = { runningStats: averaged(runningStats, counter, s, given.momentum), counter: counter + 1 }
        return [s, { ...Brick.remembered(state.memory, { stats: afterStats }), ...next }] as const
      }
    }
  )
}

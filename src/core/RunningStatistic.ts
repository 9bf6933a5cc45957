/**
 * Averages of statistics over calls.
 *
 * Room: core (level 2). Imports: tfjs, `./Brick.ts`, `./Persistence.ts`, `./Statistic.ts`, `./View.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Brick from "./Brick.ts"
import type * as Persistence from "./Persistence.ts"
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

/** What a learned value is saved as that collects for `steps` calls: nothing, then what it would become, then itself. */
export const savedOnceCollected = (
  steps: number,
  begun: (own: Persistence.Own) => tf.Tensor,
  aliases: Readonly<Record<string, Persistence.Alias>> = {}
): Persistence.Persistence => ({
  saved: (own) => {
    const counter = Number(own.memory.counter)
    return counter === 0 ? {} : counter <= steps ? { value: begun(own) } : own.parameters
  },
  loaded: ({ parameters, memory }, saved) => ({
    parameters: { ...parameters, ...saved },
    memory: { ...memory, counter: steps + 1 }
  }),
  aliases
})

/** The average is saved with the parameters, as soon as there is one. */
const persistence: Persistence.Persistence = {
  all: ({ memory }) => ({ runningStats: memory.runningStats as tf.Tensor }),
  saved: ({ memory }) => (memory.counter === 0 ? {} : { runningStats: memory.runningStats as tf.Tensor }),
  loaded: ({ parameters, memory }, { runningStats }) => ({
    parameters,
    memory: { ...memory, runningStats: runningStats as tf.Tensor, counter: 1 }
  })
}

/** In training the statistic of the input, which is averaged; in evaluation the average. */
export const make = (given: {
  readonly statsImpl: Statistic.Statistic
  readonly view: View
  readonly shape: ReadonlyArray<number> | undefined
  readonly momentum: number | undefined
}): Statistic.Statistic => {
  const stats = Statistic.shaped(given.statsImpl, given.shape, "scale")
  const asItIs = Statistic.unviewed(given.statsImpl, given.view, given.shape)
  const memory = { runningStats: tf.ones([...(given.shape ?? [])]), counter: 0 }
  return Brick.make(
    "_RuntimeStats",
    { statsInputViewShapeImpl: given.view, stats },
    { memory, persistence },
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const runningStats = state.memory.runningStats as tf.Tensor
        if (!state.training && state.trial === undefined) return [runningStats, state.memory] as const
        const direct = asItIs(state, x)
        const [s, afterStats] =
          direct === undefined
            ? Brick.call(stats, state, "stats", Statistic.seen(given.statsImpl, given.view, x))
            : [direct, {}]
        const counter = Number(state.memory.counter)
        const next = { runningStats: averaged(runningStats, counter, s, given.momentum), counter: counter + 1 }
        return [s, { ...Brick.remembered(state.memory, { stats: afterStats }), ...next }] as const
      }
    }
  )
}

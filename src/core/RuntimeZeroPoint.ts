/**
 * Zero-points from statistics of what runs through: learned after some steps, and dynamic.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`, `./RunningStatistic.ts`, `./ScaleShift.ts`,
 * `./Statistic.ts`, `./View.ts`, `./ZeroPoint.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { magnitudeRising } from "../op/Sign.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Brick from "./Brick.ts"
import * as RunningStatistic from "./RunningStatistic.ts"
import * as ScaleShift from "./ScaleShift.ts"
import * as Statistic from "./Statistic.ts"
import * as View from "./View.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

const statistic = { zeroPointStatsImpl: Injector.required<Statistic.Statistic>() }
const viewed = { zeroPointStatsInputViewShapeImpl: Injector.optional<View.View>(View.identity) }

const refuse = (option: string, reason: string): never => {
  throw new InvalidOptions({ what: "ParameterFromRuntimeZeroPoint", option, reason })
}

/** A statistic as a child of its own name, replaced by the one on trial. */
const taken = (zeroPointStatsImpl: Statistic.Statistic, shape: ReadonlyArray<number> | undefined) => {
  const shaped = (s: tf.Tensor): tf.Tensor => (shape === undefined ? s : tf.reshape(s, [...shape]))
  return (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
    const onTrial = state.trial?.zeroPoint
    if (onTrial !== undefined) return [shaped(onTrial), state.memory]
    const [s, after] = Brick.call(zeroPointStatsImpl, state, "zeroPointStatsImpl", x)
    return [shaped(s), Brick.remembered(state.memory, { zeroPointStatsImpl: after })]
  }
}

/**
 * A learned zero-point that begins as the statistic of what runs through: for `collectStatsSteps` training calls the statistic of
 * each call is used, and is averaged; then the average becomes the parameter.
 *
 * - formula:  `collecting: u = s, buffer <- s first, then (1 - m) * buffer + m * s`; then `value <- value + buffer`, `u = value`; in
 *   evaluation `u = buffer` until then; `z = shift(|u|)`
 * - shapes:   `x [...d] -> z [...zeroPointShape]`
 * - gradient: into x while collecting, then to `value`, with slope 1 at 0; to scale and bit-width
 * - errors:   `ConstructionFailed` unless `collectStatsSteps` is whole and at least 1, and the momentum null or in 0..1
 * - source:   Brevitas, core/zero_point.py
 *
 * @since 0.2.0
 */
export const ParameterFromRuntimeZeroPoint = Brick.component(
  "ParameterFromRuntimeZeroPoint",
  {
    ...statistic,
    ...viewed,
    collectStatsSteps: Injector.required<number>(),
    /** the weight of the newest statistic; null: a true mean */
    zeroPointStatsMomentum: Injector.optional<number | null>(0.1),
    zeroPointShape: Injector.optional<ReadonlyArray<number>>([]),
    ...ScaleShift.dependencies
  },
  (given): ZeroPoint => {
    const { collectStatsSteps: steps, zeroPointStatsImpl, zeroPointShape, zeroPointStatsMomentum: momentum } = given
    if (!(Number.isInteger(steps) && steps >= 1))
      refuse("collectStatsSteps", `must be a whole number of at least 1, not ${steps}`)
    if (momentum !== null && !(momentum >= 0 && momentum <= 1))
      refuse("zeroPointStatsMomentum", `must be null or in 0..1, not ${momentum}`)
    const view = given.zeroPointStatsInputViewShapeImpl
    const scaleShiftZeroPoint = ScaleShift.make(given)
    const statisticOf = taken(zeroPointStatsImpl, zeroPointShape)
    const shape = [...zeroPointShape]
    const own = {
      parameters: { value: tf.zeros(shape) },
      memory: { buffer: tf.zeros(shape), counter: 0 },
      prepare: ({ parameters, memory, training }: Brick.State) => {
        if (!training || memory.counter !== steps) return { parameters, memory }
        const value = tf.add(parameters.value as tf.Tensor, memory.buffer as tf.Tensor)
        return { parameters: { ...parameters, value }, memory: { ...memory, counter: steps + 1 } }
      },
      persistence: RunningStatistic.savedOnceCollected(steps, ({ parameters, memory }) =>
        tf.add(parameters.value as tf.Tensor, memory.buffer as tf.Tensor)
      )
    }
    /** the value before its magnitude is taken, and the memory after it */
    const unshifted = (state: Brick.State, x: tf.Tensor): Brick.Answer<tf.Tensor> => {
      const { parameters, memory, training, trial } = state
      const counter = Number(memory.counter)
      const buffer = memory.buffer as tf.Tensor
      if ((training && counter < steps) || trial?.zeroPoint !== undefined) {
        const [s, after] = statisticOf(state, Statistic.seen(zeroPointStatsImpl, view, x))
        if (trial !== undefined) return [s, memory]
        const next =
          counter === 0 ? tf.add(buffer, s) : RunningStatistic.averaged(buffer, counter, s, momentum ?? undefined)
        return [s, { ...after, buffer: next, counter: counter + 1 }]
      }
      return [counter > steps ? (parameters.value as tf.Tensor) : buffer, memory]
    }
    return Brick.make(
      "ParameterFromRuntimeZeroPoint",
      { statsInputViewShapeImpl: view, zeroPointStatsImpl, scaleShiftZeroPoint },
      own,
      {
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const [u, memory] = unshifted(state, x)
          const v = magnitudeRising(u)
          return [Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", v, scale, bitWidth)[0], memory] as const
        }
      }
    )
  }
)

/**
 * A zero-point for each group of each input.
 *
 * - formula:  `z = shift(-statistic(view(x)))`
 * - shapes:   `x [...d] -> z [..., groups, 1, ...]`
 * - gradient: through the statistic into x, to scale and bit-width
 * - errors:   none
 * - source:   Brevitas, core/zero_point.py
 *
 * @since 0.2.0
 */
export const RuntimeDynamicGroupZeroPoint = Injector.component(
  "RuntimeDynamicGroupZeroPoint",
  { ...statistic, inputViewImpl: Injector.required<View.View>(), ...ScaleShift.dependencies },
  ({ zeroPointStatsImpl, inputViewImpl, ...given }): ZeroPoint => {
    const scaleShiftZeroPoint = ScaleShift.make(given)
    const statisticOf = taken(zeroPointStatsImpl, undefined)
    return Brick.make(
      "RuntimeDynamicGroupZeroPoint",
      { zeroPointStatsImpl, inputViewImpl, scaleShiftZeroPoint },
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const [s, memory] = statisticOf(state, inputViewImpl.apply(x))
          const [z] = Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", tf.neg(s), scale, bitWidth)
          return [z, memory] as const
        }
      }
    )
  }
)

/**
 * A zero-point of each input's own, such as one for each row.
 *
 * - formula:  `z = shift(|statistic(view(x))|)`
 * - shapes:   `x [...d] -> z [...dynamicScalingBroadcastableShape(d)]`
 * - gradient: through the statistic into x, with slope 1 at 0; to scale and bit-width
 * - errors:   none
 * - source:   Brevitas, examples/common/generative/quant_blocks.py
 *
 * @since 0.2.0
 */
export const RuntimeDynamicStatsZeroPoint = Injector.component(
  "RuntimeDynamicStatsZeroPoint",
  {
    ...statistic,
    ...viewed,
    /** the shape of the zero-point, from that of the input */
    dynamicScalingBroadcastableShape: Injector.required<(shape: ReadonlyArray<number>) => ReadonlyArray<number>>(),
    ...ScaleShift.dependencies
  },
  ({
    zeroPointStatsImpl,
    zeroPointStatsInputViewShapeImpl,
    dynamicScalingBroadcastableShape: shapeOf,
    ...given
  }): ZeroPoint => {
    const scaleShiftZeroPoint = ScaleShift.make(given)
    const statisticOf = taken(zeroPointStatsImpl, undefined)
    return Brick.make(
      "RuntimeDynamicStatsZeroPoint",
      { zeroPointStatsInputViewShapeImpl, zeroPointStatsImpl, scaleShiftZeroPoint },
      {},
      {
        apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, bitWidth: tf.Tensor) => {
          const [s, memory] = statisticOf(state, zeroPointStatsInputViewShapeImpl.apply(x))
          const v = magnitudeRising(tf.reshape(s, [...shapeOf(x.shape)]))
          const [z] = Brick.call(scaleShiftZeroPoint, state, "scaleShiftZeroPoint", v, scale, bitWidth)
          return [z, memory] as const
        }
      }
    )
  }
)

/**
 * Statistics as bricks.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as StatisticOp from "../op/Statistic.ts"
import * as Brick from "./Brick.ts"

/** Reduces a tensor to a scalar. */
export type Statistic = Brick.Stateless<readonly [x: tf.Tensor], tf.Tensor>

const statistic = (label: string, apply: (x: tf.Tensor) => tf.Tensor): Statistic => Brick.make(label, {}, {}, { apply })

/** The largest magnitude. */
export const AbsMax = Injector.component("AbsMax", {}, () => statistic("AbsMax", StatisticOp.absMax))

/** The mean magnitude. */
export const AbsAve = Injector.component("AbsAve", {}, () => statistic("AbsAve", StatisticOp.absMean))

/** The magnitude at the percentile `highPercentileQ`. */
export const AbsPercentile = Injector.component(
  "AbsPercentile",
  { highPercentileQ: Injector.required<number>() },
  ({ highPercentileQ }) => statistic("AbsPercentile", (x) => StatisticOp.absPercentile(x, highPercentileQ))
)

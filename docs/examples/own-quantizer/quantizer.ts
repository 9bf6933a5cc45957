import { Injector, ScaledInt } from "breve"
import { pipe } from "effect"
import { RootMeanSquare } from "./statistic.ts"

/** 4-bit weights whose scale follows the spread of the weight, not its largest value. */
export const Int4WeightSpread = pipe(
  ScaledInt.Int8WeightPerTensorFloat,
  Injector.let({ bitWidth: 4, scalingStatsImpl: RootMeanSquare, spread: 2.5 }),
  Injector.named("Int4WeightSpread")
)

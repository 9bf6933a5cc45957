/**
 * Clamps that keep their laws, and for each law one that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as ClampLaws from "../../laws/ClampLaws.ts"
import type * as Law from "../../laws/Law.ts"
import * as ClampOp from "../../src/op/Clamp.ts"
import * as Round from "../../src/op/Round.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Clamp = ClampLaws.Clamp

const byTensors = (name: string, between: NonNullable<Clamp["between"]>, passes: boolean): Clamp => ({
  name,
  between,
  clamp: (x, low, high) => between(x, tf.scalar(low), tf.scalar(high)),
  passes,
  winner: "low"
})
const byNumbers = (name: string, clamp: Clamp["clamp"], passes: boolean): Clamp => ({
  name,
  clamp,
  passes,
  winner: "high"
})
/** Bounds for each element, which take another way. */
const each = (name: string, between: NonNullable<Clamp["between"]>, passes: boolean): Clamp => ({
  ...byTensors(name, between, passes),
  clamp: (x, low, high) => between(x, tf.fill(x.shape, low), tf.fill(x.shape, high))
})

const clamps: ReadonlyArray<Clamp> = [
  byTensors("Clamp.between", ClampOp.between, false),
  each("Clamp.between with bounds for each", ClampOp.between, false),
  byTensors("Clamp.betweenStraightThrough", ClampOp.betweenStraightThrough, true),
  byNumbers("Clamp.within", ClampOp.within, false),
  byNumbers("Clamp.withinStraightThrough", ClampOp.withinStraightThrough, true)
]

const within = byNumbers("Clamp.within", ClampOp.within, false)
const between = byTensors("Clamp.between", ClampOp.between, false)

const broken: ReadonlyArray<readonly [Law.Law<Clamp>, string, Partial<Clamp>]> = [
  [ClampLaws.definition, "only above", { clamp: (x, _, high) => ClampOp.within(x, -1e30, high) }],
  [ClampLaws.idempotent, "half of it", { clamp: (x, low, high) => tf.div(ClampOp.within(x, low, high), 2) }],
  [ClampLaws.monotone, "wraps around", { clamp: (x, low, high) => tf.add(tf.mod(x, high - low + 1), low) }],
  [
    ClampLaws.special,
    "NaN is a bound",
    { clamp: (x, low, high) => tf.where(tf.isNaN(x), tf.fill(x.shape, low), ClampOp.within(x, low, high)) }
  ],
  [ClampLaws.crossed, "the low bound wins", { clamp: between.clamp }],
  [ClampLaws.mask, "the gradient is not masked", { clamp: ClampOp.withinStraightThrough }],
  [ClampLaws.mask, "masked at the bounds too", { clamp: (x, low, high) => ClampOp.within(x, low + 1e-3, high - 1e-3) }],
  [
    ClampLaws.shared,
    "the bounds learn nothing",
    { between: (x, low, high) => ClampOp.within(x, low.dataSync()[0] as number, high.dataSync()[0] as number) }
  ],
  [
    ClampLaws.shared,
    "bounds exchanged",
    { between: (x, low, high) => ClampOp.between(x, Round.flat(() => low)(low), high) }
  ]
]

export const pack: Pack<Clamp> = {
  name: "ClampLaws",
  laws: ClampLaws.all,
  good: [
    ...clamps.map((clamp) => [`${clamp.name} on WASM`, Effect.succeed(clamp)] as const),
    ...clamps.map((clamp) => [`${clamp.name} on cpu`, onCpu(clamp)] as const)
  ],
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...within, ...parts, name: how })]),
  runs: 50
}

/**
 * Roundings as bricks.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as Round from "../op/Round.ts"
import * as Brick from "./Brick.ts"

/** Turns floats into integers. */
export type Rounding = Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor>

const rounding = (label: string, f: (x: tf.Tensor) => tf.Tensor): Rounding =>
  Brick.make(label, {}, {}, { apply: (_: Brick.State, x: tf.Tensor) => [f(x), {}] as const })

/** To the nearest integer, ties to even; straight-through gradient. */
export const RoundSte = Injector.component("RoundSte", {}, () => rounding("RoundSte", Round.nearest))
/** Down; straight-through gradient. */
export const FloorSte = Injector.component("FloorSte", {}, () => rounding("FloorSte", Round.floor))
/** Up; straight-through gradient. */
export const CeilSte = Injector.component("CeilSte", {}, () => rounding("CeilSte", Round.ceil))

const stateless: Brick.State = { parameters: {}, memory: {}, training: false }

/** Rounds with a brick that has no state, as restrictions do. */
export const rounded = (rounding: Rounding, x: tf.Tensor): tf.Tensor => rounding.apply(stateless, x)[0]

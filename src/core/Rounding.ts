/**
 * Roundings as bricks: deterministic and stochastic. Learned ones are in `LearnedRound.ts`.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import type * as FakeQuant from "../op/FakeQuant.ts"
import * as Round from "../op/Round.ts"
import * as StochasticRound from "../op/StochasticRound.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import * as Brick from "./Brick.ts"

/** Turns floats into integers. */
export interface Rounding extends Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor> {
  /** how a number is rounded that is no element of the tensor, such as a zero-point; absent: as elements are */
  readonly alone?: (x: tf.Tensor) => tf.Tensor
  /** which rounding it is, if it is one of those that are fused with what stands around them; it then has no state */
  readonly kind?: FakeQuant.Rounding
}

const rounding = (label: string, f: (x: tf.Tensor) => tf.Tensor, kind?: FakeQuant.Rounding): Rounding => {
  const apply = (_: Brick.State, x: tf.Tensor) => [f(x), {}] as const
  return Brick.make(label, {}, {}, kind === undefined ? { apply } : { kind, apply })
}

/** To the nearest integer, ties to even; straight-through gradient. */
export const RoundSte = Injector.component("RoundSte", {}, () => rounding("RoundSte", Round.nearest, "nearest"))
/** Down; straight-through gradient. */
export const FloorSte = Injector.component("FloorSte", {}, () => rounding("FloorSte", Round.floor, "floor"))
/** Up; straight-through gradient. */
export const CeilSte = Injector.component("CeilSte", {}, () => rounding("CeilSte", Round.ceil, "ceil"))
/**
 * Towards zero; straight-through gradient.
 *
 * @since 0.2.0
 */
export const RoundToZeroSte = Injector.component("RoundToZeroSte", {}, () =>
  rounding("RoundToZeroSte", Round.toZero, "toZero")
)
/**
 * To the nearest integer as a DPU does, a negative tie going up; straight-through gradient.
 *
 * @since 0.2.0
 */
export const DPURoundSte = Injector.component("DPURoundSte", {}, () => rounding("DPURoundSte", Round.dpu))

/**
 * Up with the probability of the fraction, else down. The random numbers are those of the seed and of a counter of calls, which
 * is memory: the same seed and counter give the same bits. In evaluation to the nearest integer, unless
 * `stochasticRoundDeterministicInference` is false. Layers that should draw unlike numbers need seeds of their own.
 *
 * - formula:  `y = floor(x) + (u < x - floor(x))`, u uniform in [0, 1); in evaluation `y = rne(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: `dx = dy` (straight-through)
 * - errors:   `ConstructionFailed` if the seed is not finite; NaN and infinities pass unchanged
 * - source:   Gupta et al. 2015, arXiv:1502.02551; Brevitas, core/function_wrapper/stochastic_round.py
 *
 * @since 0.2.0
 */
export const StochasticRoundSte = Injector.component(
  "StochasticRoundSte",
  { stochasticRoundSeed: Injector.optional(0), stochasticRoundDeterministicInference: Injector.optional(true) },
  ({ stochasticRoundSeed: seed, stochasticRoundDeterministicInference: deterministic }): Rounding => {
    if (!Number.isFinite(seed))
      throw new InvalidOptions({
        what: "StochasticRoundSte",
        option: "stochasticRoundSeed",
        reason: `must be a finite number, not ${seed}`
      })
    const random = Random.make(seed)
    return Brick.make(
      "StochasticRoundSte",
      {},
      { memory: { calls: 0 } },
      {
        alone: Round.nearest,
        apply: ({ memory, training }: Brick.State, x: tf.Tensor) => {
          if (deterministic && !training) return [Round.nearest(x), memory] as const
          const calls = Number(memory.calls)
          return [StochasticRound.stochastic(x, Random.split(random, calls)), { ...memory, calls: calls + 1 }] as const
        }
      }
    )
  }
)

const stateless: Brick.State = { parameters: {}, memory: {}, training: false }

/** Rounds what is no element of the tensor: a zero-point, or the value of a restriction. */
export const rounded = (rounding: Rounding, x: tf.Tensor): tf.Tensor =>
  rounding.alone?.(x) ?? rounding.apply(stateless, x)[0]

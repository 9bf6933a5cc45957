/**
 * Roundings that keep their laws, and for each law one that does not.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as RoundingLaws from "../../laws/RoundingLaws.ts"
import * as Round from "../../src/op/Round.ts"
import * as StochasticRound from "../../src/op/StochasticRound.ts"
import * as Host from "../../src/tensor/Host.ts"
import * as Random from "../../src/tensor/Random.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Rounding = RoundingLaws.Rounding

const of = (
  name: string,
  round: Rounding["round"],
  direction: Rounding["direction"],
  gradient: Rounding["gradient"] = "straight-through"
): Rounding => ({ name, round, direction, gradient })

const roundings: ReadonlyArray<Rounding> = [
  of("Round.nearest", Round.nearest, "nearest"),
  of("Round.floor", Round.floor, "floor"),
  of("Round.ceil", Round.ceil, "ceil"),
  of("Round.toZero", Round.toZero, "to zero"),
  of("Round.dpu", Round.dpu, "dpu"),
  of("Round.toZeroFlat", Round.toZeroFlat, "to zero", "none"),
  of("Round.dpuFlat", Round.dpuFlat, "dpu", "none")
]

const through = (f: (x: number) => number): Rounding["round"] => Round.straightThrough((x) => Host.map(x, f))
const nearest = (how: string, f: (x: number) => number): Rounding => of(how, through(f), "nearest")

const broken: ReadonlyArray<readonly [Law.Law<Rounding>, Rounding]> = [
  [RoundingLaws.direction, nearest("ties go up", Math.round)],
  [RoundingLaws.direction, nearest("by adding a half", (x) => Math.floor(Math.fround(x + 0.5)))],
  [RoundingLaws.whole, nearest("drops fractions", Math.trunc)],
  [RoundingLaws.idempotent, nearest("one more", (x) => Math.round(x) + 1)],
  [RoundingLaws.monotone, nearest("small numbers the wrong way", (x) => (Math.abs(x) < 1 ? -Math.sign(x) : x))],
  [RoundingLaws.bounded, of("floor by truncation", through(Math.trunc), "floor")],
  [RoundingLaws.odd, nearest("ties go up", Math.round)],
  [RoundingLaws.special, nearest("NaN is zero", (x) => Math.round(x) || 0)],
  [RoundingLaws.gradient, of("a gradient where none is stated", Round.nearest, "nearest", "none")],
  [RoundingLaws.gradient, of("tfjs's own", tf.round, "nearest")]
]

export const pack: Pack<Rounding> = {
  name: "RoundingLaws",
  laws: RoundingLaws.all,
  good: [
    ...roundings.map((rounding) => [`${rounding.name} on WASM`, Effect.succeed(rounding)] as const),
    ...roundings.map((rounding) => [`${rounding.name} on cpu`, onCpu(rounding)] as const)
  ],
  broken: broken.map(([law, rounding]) => [law, rounding.name, Effect.succeed(rounding)]),
  runs: 50
}

type Stochastic = RoundingLaws.Stochastic

const byChance: Stochastic["round"] = (x, seed) => StochasticRound.stochastic(x, Random.make(seed))
const brokenByChance: ReadonlyArray<readonly [Law.Law<Stochastic>, string, Stochastic["round"]]> = [
  [RoundingLaws.neighbour, "up to two steps", (x, seed) => tf.add(byChance(x, seed), byChance(tf.mul(x, 0), seed + 1))],
  [RoundingLaws.neighbour, "whole numbers move", (x, seed) => byChance(tf.add(x, 0.25), seed)],
  [RoundingLaws.unbiased, "to the nearest", (x) => Round.nearest(x)],
  [RoundingLaws.unbiased, "an even chance", (x, seed) => tf.add(tf.floor(x), byChance(tf.fill(x.shape, 0.5), seed))],
  [RoundingLaws.seeded, "one seed for all", (x) => byChance(x, 1)],
  [RoundingLaws.passing, "no gradient", (x, seed) => tf.mul(byChance(x, seed), tf.zerosLike(x))]
]

export const stochastic: Pack<Stochastic> = {
  name: "RoundingLaws by chance",
  laws: RoundingLaws.stochastic,
  good: [["StochasticRound.stochastic", Effect.succeed({ name: "stochastic", round: byChance })]],
  broken: brokenByChance.map(([law, how, round]) => [law, how, Effect.succeed({ name: how, round })]),
  runs: 50
}

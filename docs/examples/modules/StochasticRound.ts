import * as tf from "@tensorflow/tfjs-core"
import { Random, StochasticRound } from "breve"

/** 0.25 becomes 1 in a quarter of all cases, always the same ones of a seed: the mean stays. */
export const example = () => tf.mean(StochasticRound.stochastic(tf.fill([10000], 0.25), Random.make(1)))

export const shows = 0.2518

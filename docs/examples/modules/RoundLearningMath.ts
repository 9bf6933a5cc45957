import * as tf from "@tensorflow/tfjs-core"
import { RoundLearningMath } from "breve"

/** How undecided three roundings are, and how the exponent of that regulariser falls over 100 iterations. */
export const example = () => ({
  undecided: RoundLearningMath.undecided(tf.tensor1d([0, 0.5, 0.9]), 2),
  exponents: [0, 20, 60, 100].map((iteration) => RoundLearningMath.exponentAt(iteration, 100))
})

export const shows = { undecided: 1.36, exponents: [20, 20, 11, 2] }

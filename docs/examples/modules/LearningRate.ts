import { LearningRate } from "breve"
import { pipe } from "effect"

/** A rate that rises for two steps, then falls along half a cosine. */
export const example = () => {
  const rate = pipe(LearningRate.cosine({ from: 0.1, steps: 4 }), LearningRate.warmUp(2))
  return [0, 1, 2, 3, 4, 5, 6].map(rate.at)
}

export const shows = [0.0333333, 0.0666667, 0.1, 0.0853553, 0.05, 0.0146447, 0]

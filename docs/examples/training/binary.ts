import { GradientClip, LearningRate, Optimizer, Parameters } from "breve"
import { pipe } from "effect"

const stepsPerEpoch = 80

/** Adam at 0.02, a tenth of it after epoch 20 and again after 30; weights stay from -1 to 1; learned scales slowly, without decay. */
export const optimizer = pipe(
  Optimizer.adamW(LearningRate.multiStep({ initial: 0.02, at: [20 * stepsPerEpoch, 30 * stepsPerEpoch] })),
  GradientClip.byNorm(5),
  Parameters.keepWithin({ low: -1, high: 1, selection: (name) => name.endsWith(".weight") }),
  Parameters.trainWith({ selection: (name) => name.endsWith("scalingImpl.value"), optimizer: Optimizer.sgd(1e-3) })
)

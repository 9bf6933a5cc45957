import * as tf from "@tensorflow/tfjs-core"
import { Restricted, Restriction } from "breve"

/** What a scale of your own would use: the nearest power of two, not below 0.01, divided by a threshold of 128. */
export const example = () => {
  const { ofStatistic } = Restricted.make({
    restrictScalingImpl: Restriction.PowerOfTwoRestrictValue({}),
    restrictThresholdImpl: undefined,
    restrictScaleThresholdImpl: undefined,
    scalingMinVal: 0.01,
    isScaleUnsigned: true
  })
  return ofStatistic(tf.tensor1d([3, 0.001]), tf.scalar(128))
}

export const shows = [0.03125, 0.000078125]

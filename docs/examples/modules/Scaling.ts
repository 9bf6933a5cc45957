import * as tf from "@tensorflow/tfjs-core"
import { Scaling } from "breve"

/** A learned scale that begins at 0.5, as a brick called by hand; and He's scale of a layer of 1024 weights and 16 channels. */
export const example = () => {
  const scaling = Scaling.ParameterScaling({ scalingInit: 0.5 })
  const { parameters, memory } = scaling
  const [scale] = scaling.apply({ parameters, memory, training: false }, tf.zeros([2]), tf.scalar(127))
  return { scale, he: Scaling.heScale([{ size: 1024, channels: 16 }]) }
}

export const shows = { scale: 0.00393701, he: 0.176777 }

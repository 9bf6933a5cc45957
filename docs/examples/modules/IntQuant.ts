import * as tf from "@tensorflow/tfjs-core"
import { BitWidth, Clamp, IntQuant, IntScaling, Rounding, Scaling, TensorQuantizer, ZeroPoint } from "breve"

/** A quantizer wired by hand: four signed bits, a constant threshold of 0.8. */
export const example = () => {
  const range = { signed: true, narrowRange: false }
  const quantizer = IntQuant.RescalingIntQuant({
    intQuant: IntQuant.IntQuant({
      floatToIntImpl: Rounding.RoundSte({}),
      tensorClampImpl: Clamp.TensorClamp({}),
      ...range
    }),
    scalingImpl: Scaling.ConstScaling({ scalingInit: 0.8 }),
    intScalingImpl: IntScaling.IntScaling(range),
    zeroPointImpl: ZeroPoint.ZeroZeroPoint({}),
    bitWidthImpl: BitWidth.BitWidthConst({ bitWidth: 4 })
  })
  const { value, scale } = TensorQuantizer.quantize(quantizer, tf.tensor1d([0.33, -0.77, 5]))
  return { value, scale }
}

export const shows = { value: [0.3, -0.8, 0.7], scale: 0.1 }

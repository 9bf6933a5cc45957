import * as tf from "@tensorflow/tfjs-core"
import { Activation, Convolution, Linear, Model, Normalization, Pooling, Rounding, TensorNorm } from "breve"
import { Effect } from "effect"
import { Act1, actOf, Weight1 } from "./quantizers.ts"

const seed = 1
const plain = { hasBias: false, weightQuant: Weight1, initialBound: 1 } as const
const conv = (inChannels: number, outChannels: number, order: number) =>
  Convolution.quantConv2d({ ...plain, inChannels, outChannels, kernelSize: [3, 3], seed: seed + order })
const linear = (inFeatures: number, outFeatures: number, order: number) =>
  Linear.quantLinear({ ...plain, inFeatures, outFeatures, seed: seed + order })
const norm = (channels: number) => Normalization.batchNorm({ channels, epsilon: 1e-4 })
const act = Activation.quantIdentity({ actQuant: Act1 })
const pool = Pooling.maxPool2d({ size: [2, 2] })

/** Eight bits from -1 to 127/128. */
const input = { narrowRange: false, restrictScalingType: "powerOfTwo" } as const

/** Images of 28 x 28: five convolutions without padding, two maxima, three linear layers. */
export const cnv1w1a = Effect.gen(function* () {
  return Model.sequential({
    centre: Model.stateless("Centre", (x) => tf.sub(tf.mul(x, 2), 1)),
    input: yield* Activation.quantIdentity({
      actQuant: actOf(8),
      act: { ...input, restrictValueFloatToIntImpl: Rounding.CeilSte }
    }),
    conv1: yield* conv(1, 16, 0), // 26 x 26
    convNorm1: yield* norm(16),
    convAct1: yield* act,
    conv2: yield* conv(16, 16, 1), // 24 x 24
    convNorm2: yield* norm(16),
    convAct2: yield* act,
    pool2: pool, // 12 x 12
    conv3: yield* conv(16, 32, 2), // 10 x 10
    convNorm3: yield* norm(32),
    convAct3: yield* act,
    conv4: yield* conv(32, 32, 3), // 8 x 8
    convNorm4: yield* norm(32),
    convAct4: yield* act,
    pool4: pool, // 4 x 4
    conv5: yield* conv(32, 64, 4), // 2 x 2
    convNorm5: yield* norm(64),
    convAct5: yield* act,
    flatten: Model.flatten,
    fc1: yield* linear(256, 128, 10),
    norm1: yield* norm(128),
    act1: yield* act,
    fc2: yield* linear(128, 128, 11),
    norm2: yield* norm(128),
    act2: yield* act,
    output: yield* linear(128, 10, 20),
    norm: yield* TensorNorm.tensorNorm()
  })
})

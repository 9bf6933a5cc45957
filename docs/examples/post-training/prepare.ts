import * as tf from "@tensorflow/tfjs-core"
import {
  Calibrate,
  Convolution,
  Equalize,
  Layer,
  Linear,
  MergeBatchNorm,
  Model,
  Normalization,
  type Ptq,
  Quantize,
  QuantTensor,
  Random,
  State
} from "breve"
import { Effect, pipe, Stream } from "effect"

/** A float network. Its first channels are up to 64 times larger than others, for which the second convolution makes up. */
const network = Effect.gen(function* () {
  const float = { weightQuant: null } as const
  const size = { kernelSize: [3, 3], ...float } as const
  const model = Model.sequential({
    conv1: yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 8, seed: 1, ...size }),
    norm: yield* Normalization.batchNorm({ channels: 8 }),
    relu: Model.relu,
    conv2: yield* Convolution.quantConv2d({ inChannels: 8, outChannels: 8, groups: 8, seed: 2, ...size }),
    relu2: Model.relu,
    flatten: Model.flatten,
    fc: yield* Linear.quantLinear({ inFeatures: 128, outFeatures: 4, seed: 3, ...float })
  })
  const { "conv2.weight": weight } = yield* State.parameters(model)
  const planted = tf.tidy(() => {
    const scales = tf.tensor1d([8, 8, 8, 8, 0.125, 0.125, 0.125, 0.125])
    return { "norm.weight": scales, "conv2.weight": tf.div(weight as tf.Tensor, scales) }
  })
  yield* State.load(model, planted, "report")
  tf.dispose(planted)
  return model
})

const images = (seed: number): tf.Tensor =>
  tf.tensor(Random.normal(Random.make(seed), 16 * 8 * 8 * 2, 0, 1), [16, 8, 8, 2])
const batches = Stream.make(...[1, 2].map((seed) => () => images(seed)))
const input = [1, 8, 8, 2]

/** The signal-to-noise ratio of what a model answers, in decibels. */
const ratioOf = (model: Ptq.Model, float: Ptq.Model) =>
  Effect.gen(function* () {
    const x = images(9)
    const y = yield* Layer.forward(model, x)
    const wanted = yield* Layer.forward(float, x, Layer.without(Layer.evaluation))
    const [ratio = Number.NaN] = tf.tidy(() => {
      const [a, b] = [y, wanted].map((one) => QuantTensor.dequantized(one as Layer.Value)) as [tf.Tensor, tf.Tensor]
      return tf.div(tf.sum(tf.square(b)), tf.sum(tf.squaredDifference(a, b))).dataSync()
    })
    tf.dispose([x, ...Layer.tensorsIn(y), ...Layer.tensorsIn(wanted)])
    return `${(10 * Math.log10(ratio)).toFixed(0)} dB`
  })

export const run = Effect.gen(function* () {
  const model = yield* network
  const merged = yield* MergeBatchNorm.merge({ input })(model)
  const equal = yield* Equalize.equalize({ input })(merged)
  const quantized = (float: Ptq.Model) =>
    pipe(float, Quantize.quantize({ input }), Effect.flatMap(Calibrate.calibrate(batches)))
  const [plainly, equalized] = [yield* quantized(merged), yield* quantized(equal)]
  return `8 bits per tensor: ${yield* ratioOf(plainly, model)}, equalized ${yield* ratioOf(equalized, model)}`
})

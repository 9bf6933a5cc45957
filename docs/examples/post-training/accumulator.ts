import * as tf from "@tensorflow/tfjs-core"
import { Activation, Calibrate, Gpfq, IntegerNetwork, Linear, Model, Random, ScaledInt } from "breve"
import { Effect, pipe, Stream } from "effect"

const batches = Stream.make(() => tf.tensor2d(Random.normal(Random.make(1), 256 * 64, 0, 1), [256, 64]))

/** A layer needs to know the integers that reach it: the one before answers quant tensors. */
const network = Effect.gen(function* () {
  const weight = { bitWidth: 6, scalingImplType: "parameterFromStats" } as const
  return Model.sequential({
    input: yield* Activation.quantIdentity({ returnQuantTensor: true }),
    fc: yield* Linear.quantLinear({
      inFeatures: 64,
      outFeatures: 10,
      weightQuant: ScaledInt.Int8WeightPerChannelFloat,
      weight,
      biasQuant: ScaledInt.Int32Bias,
      returnQuantTensor: true
    })
  })
})

/** How many bits the accumulators of a model need, whatever its input is. */
const bitsOf = (model: Model.Composed) =>
  Effect.map(IntegerNetwork.of(model, [1, 64]), ({ accumulators }) => accumulators.map(({ bits }) => bits).join(", "))

export const run = Effect.gen(function* () {
  const model = yield* pipe(network, Effect.flatMap(Calibrate.calibrate(batches)))
  const free = yield* Gpfq.gpfq(batches)(model)
  const aware = yield* Gpfq.gpfq(batches, { accumulator: { bitWidth: 14 } })(model)
  return `${yield* bitsOf(free)} bits by GPFQ, ${yield* bitsOf(aware)} with an accumulator of 14`
})

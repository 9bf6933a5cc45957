import * as tf from "@tensorflow/tfjs-core"
import { Brick, Convolution, Injector, Module, State } from "breve"
import { Effect, pipe } from "effect"
import { MySignedBinaryWeightQuantizer } from "./cell12.ts"
import { proxyOf, scaleOf } from "./weights.ts"

export const SharedParamFromMeanWeightQuantizer = pipe(
  MySignedBinaryWeightQuantizer,
  Injector.let({
    scalingInit: Brick.tensor(["module"], (modules: Module.Modules) =>
      tf.mean(tf.abs(tf.concat(Module.list(modules).map(({ weight }) => tf.reshape(weight, [-1])))))
    )
  }),
  Injector.named("SharedParamFromMeanWeightQuantizer")
)

const shape = { inChannels: 3, outChannels: 2, kernelSize: [3, 3] } as const

export const sharing = (weight1: tf.Tensor, weight2: tf.Tensor) =>
  Effect.gen(function* () {
    const first = yield* Convolution.quantConv2d({ ...shape, weightQuant: SharedParamFromMeanWeightQuantizer })
    yield* State.assign(first, { weight: weight1 })
    const alone = yield* scaleOf(first)
    const second = yield* Convolution.quantConv2d({ ...shape, weightQuant: yield* proxyOf(first) })
    yield* State.assign(second, { weight: weight2 })
    return { first, second, alone }
  })

export const run = (weight1: tf.Tensor, weight2: tf.Tensor) =>
  Effect.gen(function* () {
    const { first, alone } = yield* sharing(weight1, weight2)
    return { alone: alone[0], together: (yield* scaleOf(first))[0] }
  })

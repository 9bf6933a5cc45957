import { Activation, Classifier, Convolution, Elementwise, Linear, Model, Optimizer, Random } from "breve"
import { Effect } from "effect"

const bits4 = { bitWidth: 4 } as const
const watched = { ...bits4, collectStatsSteps: 10 } as const
const conv = { kernelSize: [3, 3], padding: "same", outChannels: 8, weight: bits4 } as const

/** A residual network whose weights and activations have 4 bits; both sides of the sum share one scale. */
export const network = Effect.gen(function* () {
  const relu = Activation.quantReLU({ act: watched })
  const layers = {
    input: yield* Activation.quantIdentity({ act: watched }),
    first: yield* Convolution.quantConv2d({ ...conv, inChannels: 1, strides: [2, 2], seed: 1 }),
    relu1: yield* relu,
    conv1: yield* Convolution.quantConv2d({ ...conv, inChannels: 8, seed: 2 }),
    relu2: yield* relu,
    conv2: yield* Convolution.quantConv2d({ ...conv, inChannels: 8, seed: 3 }),
    add: yield* Elementwise.quantEltwiseAdd({ input: watched }),
    relu3: yield* relu,
    flatten: Model.flatten,
    output: yield* Linear.quantLinear({ inFeatures: 14 * 14 * 8, outFeatures: 10, weight: bits4, seed: 4 })
  }
  return Model.functional(layers, (layer, x) => {
    const around = layer.relu1(layer.first(layer.input(x)))
    const through = layer.conv2(layer.relu2(layer.conv1(around)))
    return layer.output(layer.flatten(layer.relu3(layer.add([through, around]))))
  })
})

/** Trains it, and answers how many percent of other images it knows. */
export const run = Effect.fn(function* (images: Classifier.Images, others: Classifier.Images, epochs: number) {
  const model = yield* network
  const optimizer = Optimizer.adam(3e-3)
  const order = { random: Random.make(1), onStep: () => Effect.void }
  yield* Classifier.fit(model, images, { epochs, batchSize: 32, optimizer, ...order })
  return yield* Classifier.accuracy(model, others)
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import { product, wholes } from "../op/NaiveConvolution.ts"
import { answer, near, numbers, onBackends, owned, refusal, scoped, trained } from "./Scoped.ts"

/** The running statistics of a layer. */
const running = (layer: Normalization.Normalizing): ReadonlyArray<ReadonlyArray<number>> => {
  const { memory } = Layer.stateOf(Layer.read(layer), layer.own)
  return [memory.runningMean, memory.runningVar].map((tensor) => numbers(tensor as tf.Tensor))
}

const statistics = (channels: number) =>
  Effect.gen(function* () {
    const of = (seed: number, above: number) =>
      owned(() => tf.tensor1d(wholes(channels, seed).map((v) => Math.abs(v) / 4 + above)))
    return {
      weight: yield* of(1, 0.5),
      bias: yield* of(2, -1),
      runningMean: yield* of(3, -1),
      runningVar: yield* of(4, 0.25)
    }
  })

onBackends("batch normalization as a layer", () => {
  scoped("in training by the batch, whose statistics move the running ones; in evaluation by these", () =>
    Effect.gen(function* () {
      const layer = yield* Normalization.batchNorm({ channels: 2, epsilon: 0, momentum: 0.5 })
      const x = yield* owned(() => tf.tensor3d([1, 10, 3, 10, 5, 16, 7, 4], [2, 2, 2]))
      // means 4 and 10, variances 5 and 18
      const [s, t] = [Math.sqrt(5), Math.sqrt(18)]
      near(yield* answer(layer, x, Layer.training), [-3 / s, 0, -1 / s, 0, 1 / s, 6 / t, 3 / s, -6 / t])
      const [mean, variance] = running(layer)
      near(mean as ReadonlyArray<number>, [2, 5])
      near(variance as ReadonlyArray<number>, [0.5 + (5 * 4) / 3 / 2, 0.5 + (18 * 4) / 3 / 2])
      const [u, v] = (variance as ReadonlyArray<number>).map(Math.sqrt) as [number, number]
      const wanted = [1, 10, 3, 10, 5, 16, 7, 4].map((value, i) => (i % 2 === 0 ? (value - 2) / u : (value - 5) / v))
      near(yield* answer(layer, x), wanted)
      expect(running(layer)).toEqual([mean, variance])
    })
  )

  scoped("a batch of nothing changes no statistics; a batch of one has no deviation", () =>
    Effect.gen(function* () {
      const layer = yield* Normalization.batchNorm({ channels: 3 })
      const none = yield* owned(() => tf.zeros([0, 4, 3]))
      expect(yield* answer(layer, none, Layer.training)).toEqual([])
      expect(yield* answer(layer, none)).toEqual([])
      expect(running(layer)).toEqual([
        [0, 0, 0],
        [1, 1, 1]
      ])
      const one = yield* owned(() => tf.tensor2d([[5, -5, 0]]))
      expect(yield* answer(layer, one, Layer.training)).toEqual([0, 0, 0])
    })
  )

  scoped("trains, with the layer before it", () =>
    Effect.gen(function* () {
      const model = Model.sequential({
        linear: yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 2 }),
        norm: yield* Normalization.batchNorm({ channels: 2 })
      })
      const x = yield* owned(() => tf.tensor([...wholes(12, 3)], [4, 3], "float32"))
      const losses = yield* trained(model, x, 10, 0.2)
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2)
    })
  )

  scoped("other channels and options that cannot be are refused", () =>
    Effect.gen(function* () {
      const layer = yield* Normalization.batchNorm({ channels: 3 })
      for (const shape of [[2, 4], [], [3, 1]]) {
        const x = yield* owned(() => tf.ones(shape))
        const refused = { _tag: "ShapeMismatch", what: "the input of BatchNorm", expected: "[..., 3]", actual: shape }
        expect(yield* refusal(layer, x)).toMatchObject(refused)
        expect(yield* refusal(layer, x, Layer.training)).toMatchObject(refused)
      }
      for (const [option, value] of [
        ["channels", 0],
        ["channels", 1.5],
        ["epsilon", -1],
        ["epsilon", Number.NaN],
        ["momentum", 1.5]
      ] as const)
        expect(yield* Effect.flip(Normalization.batchNorm({ channels: 2, [option]: value }))).toMatchObject({
          _tag: "InvalidOptions",
          option
        })
    })
  )
})

onBackends("batch normalization merged into the layer before it", () => {
  const layers = {
    linear: [Linear.quantLinear({ inFeatures: 2, outFeatures: 3, weightQuant: null }), [5, 2]],
    "linear without bias": [
      Linear.quantLinear({ inFeatures: 2, outFeatures: 3, weightQuant: null, hasBias: false }),
      [5, 2]
    ],
    conv2d: [
      Convolution.quantConv2d({ inChannels: 2, outChannels: 3, kernelSize: [2, 2], weightQuant: null }),
      [1, 3, 3, 2]
    ],
    "transposed conv1d": [
      TransposedConvolution.quantConvTranspose1d({
        inChannels: 2,
        outChannels: 3,
        kernelSize: [2],
        weightQuant: null
      }),
      [1, 3, 2]
    ]
  } as const
  for (const [title, [make, shape]] of Object.entries(layers))
    scoped(`${title}: does what both did`, () =>
      Effect.gen(function* () {
        const layer = yield* make
        const norm = yield* Normalization.batchNorm({ channels: 3 })
        const given = yield* statistics(3)
        yield* State.load(norm, { ...given }, "report")
        const x = yield* owned(() => tf.tensor([...wholes(product(shape), 9)], [...shape], "float32"))
        const both = yield* answer(Model.sequential({ layer, norm }), x)
        const scaled = yield* Normalization.quantScaleBias({ channels: 3, weightQuant: null })
        const affine = Normalization.scaleAndBias(given)
        yield* State.load(scaled, affine, "float")
        tf.dispose([affine.weight, affine.bias])
        near(yield* answer(Model.sequential({ layer, scaled }), x), both, 4)
        yield* Normalization.mergeInto(layer, given)
        near(yield* answer(layer, x), both, 4)
      })
    )

  scoped("statistics of other channels are refused, and nothing is changed", () =>
    Effect.gen(function* () {
      const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, hasBias: false })
      const x = yield* owned(() => tf.tensor2d([[1, 2]]))
      const before = yield* answer(layer, x)
      const [three, two] = [yield* statistics(3), yield* statistics(2)]
      for (const [given, name] of [
        [two, "weight"],
        [{ ...three, runningMean: two.runningMean }, "runningMean"]
      ] as const) {
        const count = tf.memory().numTensors
        expect(yield* Effect.flip(Normalization.mergeInto(layer, given))).toMatchObject({
          _tag: "ShapeMismatch",
          what: `the ${name} of the normalization after QuantLinear`,
          expected: "[3]",
          actual: [2]
        })
        expect(tf.memory().numTensors).toBe(count)
      }
      expect(yield* answer(layer, x)).toEqual(before)
      expect(Object.keys(yield* State.parameters(layer))).not.toContain("bias")
    })
  )
})

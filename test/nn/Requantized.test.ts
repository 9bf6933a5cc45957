import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Fork from "../../src/nn/Fork.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Requantized from "../../src/nn/Requantized.ts"
import * as State from "../../src/nn/State.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Nets from "../ptq/Nets.ts"

const answer = (layer: Layer.Layer, x: tf.Tensor) =>
  Effect.map(Layer.forward(layer, x), (y) => {
    const values = [...QuantTensor.dequantized(y).dataSync()]
    tf.dispose([...Layer.tensorsIn(y)])
    return values
  })

describe("Requantized.make", () => {
  it("gives a float layer quantizers, for the weights that it has", () =>
    Nets.run(
      Effect.gen(function* () {
        const fc = yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 2, weightQuant: null, hasBias: false })
        const weight = tf.tensor2d([1, 2, 3, 4, 5, -127], [3, 2])
        yield* State.load(fc, { weight }, "strict")
        const before = yield* Nets.stateOf(fc)
        const next = yield* Requantized.make(fc, { weightQuant: ScaledInt.Int8WeightPerTensorFloat })
        const quantized = yield* Weighted.quantWeight(next)
        expect(quantized.scale.dataSync()[0]).toBe(1)
        expect([...quantized.value.dataSync()]).toEqual([1, 2, 3, 4, 5, -127])
        expect(yield* Nets.stateOf(fc)).toBe(before)
        const plain = yield* Requantized.make(next, {})
        expect(plain.proxies).toEqual([])
        const x = tf.tensor2d([[1, 0, 2]])
        expect(yield* answer(plain, x)).toEqual(yield* answer(fc, x))
        tf.dispose([weight, x, ...QuantTensor.tensorsOf(quantized)])
      })
    ))
})

describe("a layer whose weight has another shape in a fork", () => {
  const widened = (layer: Weighted.Weighted, shape: ReadonlyArray<number>, channels: number) =>
    Fork.requantized(
      layer,
      (_, { injector }) => injector,
      (cell) =>
        cell === layer.own
          ? { parameters: { weight: tf.ones([...shape]), bias: tf.zeros([channels]) }, memory: {} }
          : undefined
    )
  const perChannel = { weightQuant: ScaledInt.Int8WeightPerChannelFloat, returnQuantTensor: true } as const
  const inputQuant = ScaledInt.Int8ActPerTensorFloat
  it("takes as many channels as its weight has, and answers as many, quantized", () =>
    Nets.run(
      Effect.gen(function* () {
        const one = [1, 1] as const
        const options = { inChannels: 2, outChannels: 2, kernelSize: one, inputQuant, ...perChannel }
        const cases: ReadonlyArray<readonly [Weighted.Weighted, ReadonlyArray<number>, ReadonlyArray<number>]> = [
          [yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, inputQuant, ...perChannel }), [3, 5], [4, 3]],
          [yield* Convolution.quantConv2d(options), [1, 1, 3, 5], [1, 2, 2, 3]],
          [yield* TransposedConvolution.quantConvTranspose2d(options), [1, 1, 5, 3], [1, 2, 2, 3]]
        ]
        for (const [layer, shape, input] of cases) {
          const next = yield* widened(layer, shape, 5)
          const x = tf.ones([...input])
          const y = (yield* Layer.forward(next, x)) as QuantTensor.QuantTensor
          expect(y.value.shape).toEqual([...input.slice(0, -1), 5])
          expect(y.scale.size).toBe(5)
          const error = yield* Effect.flip(Layer.forward(layer, x))
          expect(error).toMatchObject({ _tag: "ShapeMismatch" })
          tf.dispose([x, ...Layer.tensorsIn(y)])
        }
      })
    ))
})

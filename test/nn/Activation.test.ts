import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import { NoneActQuant } from "../../src/quant/None.ts"
import { Int8ActPerTensorFloat } from "../../src/quant/ScaledInt.ts"
import { answer, near, numbers, onBackends, owned, quantized, refusal, scoped, trained } from "./Scoped.ts"

const values = [-3, -0.5, 0, 0.4, 2]
const given = owned(() => tf.tensor1d(values))

onBackends("activations", () => {
  scoped("sigmoid and tanh: the function, then the grid", () =>
    Effect.gen(function* () {
      const x = yield* given
      const sigmoid = yield* Activation.quantSigmoid({ returnQuantTensor: true })
      const y = yield* quantized(sigmoid, x)
      const scale = numbers(y.scale)[0] as number
      expect(y.signed).toBe(false)
      expect(y.integers).toEqual(values.map((v) => Math.min(255, Math.round(1 / (1 + Math.exp(-v)) / scale))))
      const tanh = yield* Activation.quantTanh({ returnQuantTensor: true })
      const z = yield* quantized(tanh, x)
      expect([z.signed, z.integers]).toEqual([
        true,
        values.map((v) => Math.max(-128, Math.min(127, Math.round(Math.tanh(v) / (numbers(z.scale)[0] as number)))) + 0)
      ])
    })
  )

  scoped("hard tanh clips wherever no quantizer does", () =>
    Effect.gen(function* () {
      const x = yield* given
      const clipped = [-1, -0.5, 0, 0.4, 1.5]
      const bounds = { minVal: -1, maxVal: 1.5 }
      near(yield* answer(yield* Activation.quantHardTanh({ ...bounds, actQuant: null }), x), clipped)
      near(yield* answer(yield* Activation.quantHardTanh({ ...bounds, actQuant: NoneActQuant }), x), clipped)
      const quantizing = yield* Activation.quantHardTanh(bounds)
      near(yield* answer(quantizing, x, Layer.without(Layer.evaluation)), clipped)
      const y = yield* answer(quantizing, x)
      for (const [i, v] of y.entries()) expect(Math.abs(v - (clipped[i] as number))).toBeLessThan(0.6)
      expect(yield* Effect.flip(Activation.quantHardTanh({ minVal: 1, maxVal: 1 }))).toMatchObject({
        _tag: "InvalidOptions",
        what: "QuantHardTanh",
        option: "minVal"
      })
    })
  )

  scoped("an input quantizer comes before the function", () =>
    Effect.gen(function* () {
      const x = yield* given
      const inputQuant = Int8ActPerTensorFloat
      const relu = yield* Activation.quantReLU({ actQuant: null, inputQuant, returnQuantTensor: true })
      const y = yield* quantized(relu, x)
      expect([y.integers, numbers(y.scale)]).toEqual([[0, 0, 0, 51, 127], [1 / 128]])
      expect(relu.proxies.map(([name]) => name)).toEqual(["inputQuant"])
      const sigmoid = yield* Activation.quantSigmoid({ actQuant: null, inputQuant, returnQuantTensor: true })
      expect(yield* refusal(sigmoid, x)).toMatchObject({
        _tag: "MissingInput",
        quantizer: "the output of QuantSigmoid, asked for as a quant tensor"
      })
    })
  )

  scoped("of nothing nothing, of NaN NaN", () =>
    Effect.gen(function* () {
      const [none, unknown] = [yield* owned(() => tf.zeros([0, 2])), yield* owned(() => tf.tensor1d([Number.NaN, 0]))]
      const both = [
        [Activation.quantIdentity(), Activation.quantIdentity({ actQuant: null })],
        [Activation.quantReLU(), Activation.quantReLU({ actQuant: null })],
        [Activation.quantHardTanh(), Activation.quantHardTanh({ actQuant: null })],
        [Activation.quantSigmoid(), Activation.quantSigmoid({ actQuant: null })],
        [Activation.quantTanh(), Activation.quantTanh({ actQuant: null })]
      ] as const
      for (const [make, makePlain] of both) {
        const layer = yield* make
        expect(yield* answer(layer, none)).toEqual([])
        expect((yield* answer(layer, unknown))[0]).toBeNaN()
        expect((yield* answer(yield* makePlain, unknown))[0]).toBeNaN()
      }
    })
  )

  scoped("a learned scale trains", () =>
    Effect.gen(function* () {
      const layer = yield* Activation.quantReLU({ act: { bitWidth: 2, collectStatsSteps: 1 } })
      const x = yield* given
      const losses = yield* trained(layer, x, 8, 0.3)
      expect(losses.at(-1)).toBeLessThan(losses[1] as number)
    })
  )
})

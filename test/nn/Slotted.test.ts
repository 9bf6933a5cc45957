/** Slotted.ts: quantizers in slots that had none; the model that was given stays, what layers share is shared. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Fork from "../../src/nn/Fork.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Slotted from "../../src/nn/Slotted.ts"
import * as State from "../../src/nn/State.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const float = { weightQuant: null } as const

/** Floats, but for a layer that has its weight quantizer already. */
const network = (own: { readonly weightQuant?: typeof ScaledInt.Int8WeightPerTensorFloat | null } = float) =>
  Effect.gen(function* () {
    const twice = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 6, seed: 3, ...own })
    return Model.sequential({
      conv: yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 3, kernelSize: [2, 2], seed: 1, ...own }),
      relu: yield* Activation.quantReLU({ actQuant: null }),
      flatten: Model.flatten,
      fc: yield* Linear.quantLinear({ inFeatures: 12, outFeatures: 6, seed: 2 }),
      body: Model.sequential({ twice }),
      twice
    })
  })

const answerOf = (model: Layer.Layer) =>
  Effect.gen(function* () {
    const x = tf.tensor(Random.normal(Random.make(9), 4 * 18, 0, 1), [4, 3, 3, 2])
    const y = yield* Layer.forward(model, x)
    const values = Layer.tensorsIn(y).map((one) => [...one.dataSync()])
    tf.dispose([x, ...Layer.tensorsIn(y)])
    return values
  })

const { Int8WeightPerTensorFloat, Uint8ActPerTensorFloat } = ScaledInt

describe("Slotted.empty", () => {
  it("names the slots without a quantizer, of forks as well", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const names = Slotted.empty(model)
        expect(names.slice(0, 6)).toEqual([
          "conv.weightQuant",
          "conv.biasQuant",
          "conv.inputQuant",
          "conv.outputQuant",
          "relu.actQuant",
          "relu.inputQuant"
        ])
        expect(names).not.toContain("fc.weightQuant")
        expect(names).toContain("body.twice.weightQuant")
        expect(Slotted.empty(yield* Fork.make(model))).toEqual(names)
        const gone = yield* Fork.requantized(model, () => null)
        expect(Slotted.empty(gone)).toContain("fc.weightQuant")
        const one = yield* Linear.quantLinear({ inFeatures: 1, outFeatures: 1 })
        expect(Slotted.empty(one)).toEqual(["biasQuant", "inputQuant", "outputQuant"])
      })
    ))
})

describe("Slotted.filled", () => {
  it("answers what a network answers that was made with these quantizers", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network()
        const before = [yield* State.extract(model), yield* answerOf(model)]
        const filled = yield* Slotted.filled(model, (name) =>
          name.endsWith("weightQuant") ? Int8WeightPerTensorFloat : undefined
        )
        const made = yield* network({ weightQuant: Int8WeightPerTensorFloat })
        expect(yield* answerOf(filled)).toEqual(yield* answerOf(made))
        expect(filled.proxies.map(([name]) => name)).toEqual(made.proxies.map(([name]) => name))
        expect(filled.layers.twice).toBe((filled.layers.body as Model.Composed).layers.twice)
        // what it has learned goes on, in forks and after a load as well
        yield* State.load(filled, yield* State.extract(yield* network()), "float")
        expect(yield* answerOf(yield* Fork.make(filled))).toEqual(yield* answerOf(made))
        expect([yield* State.extract(model), yield* answerOf(model)]).toEqual(before)
        const none = yield* Slotted.filled(model, () => undefined)
        expect([yield* State.extract(none), yield* answerOf(none)]).toEqual(before)
      })
    ))
  it("quantizes activations, inputs of layers, and of joins", () =>
    run(
      Effect.gen(function* () {
        const layers = {
          relu: yield* Activation.quantReLU({ actQuant: null }),
          fc: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 4, ...float }),
          add: yield* Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null })
        }
        const joined = Model.functional(layers, (l, x: Layer.Value) => l.add([l.relu(x), l.fc(x)]))
        const quants: Readonly<Record<string, typeof Uint8ActPerTensorFloat>> = {
          "relu.actQuant": Uint8ActPerTensorFloat,
          "fc.inputQuant": Uint8ActPerTensorFloat,
          "add.inputQuant": Uint8ActPerTensorFloat
        }
        const filled = yield* Slotted.filled(joined, (name) => quants[name])
        expect(filled.proxies.map(([name]) => name)).toEqual(Object.keys(quants))
        const x = tf.tensor2d([[0.5, -1, 2, 3]])
        const y = yield* Layer.forward(filled, x, Layer.training)
        expect(Layer.tensorsIn(y).every((one) => one.dataSync().every(Number.isFinite))).toBe(true)
        expect(Object.keys(yield* State.extract(filled))).toContain("add.inputQuant.scalingImpl.value")
        tf.dispose([x, ...Layer.tensorsIn(y)])
      })
    ))
})

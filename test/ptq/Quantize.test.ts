import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Recurrent from "../../src/nn/Recurrent.ts"
import * as State from "../../src/nn/State.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import * as MergeBatchNorm from "../../src/ptq/MergeBatchNorm.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Quantize from "../../src/ptq/Quantize.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Nets from "./Nets.ts"

const batches = (input: ReadonlyArray<number>): Ptq.Batches => Stream.make(() => Nets.batch(input, 3))

const quantizedOf = (model: Ptq.Model, input: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const x = Nets.batch(input)
    const y = yield* Layer.forward(model, x)
    const values = Float32Array.from(QuantTensor.dequantized(y as Layer.Value).dataSync())
    tf.dispose([x, ...Layer.tensorsIn(y)])
    return values
  })

// one scale serves all inputs of an addition or concatenation: the mean of their statistics, which clips the larger one
describe.each([
  ["mlp", 0.05],
  ["cnn", 0.05],
  ["residual", 0.3]
] as const)("a float %s", (kind, most) => {
  it("becomes a network of 8 bits near to it; the float one stays", { timeout: 60_000 }, () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind, seed: 3, spread: 0 })
        const [before, wanted] = [yield* Nets.stateOf(model), yield* Nets.floatOf(model, input)]
        const calibrated = Calibrate.calibrate(batches(input))
        const whole = yield* pipe(
          model,
          MergeBatchNorm.merge({ input }),
          Effect.flatMap(Quantize.quantize({ input })),
          Effect.flatMap(calibrated)
        )
        const alone = yield* pipe(model, Quantize.layerwise(), Effect.flatMap(calibrated))
        for (const next of [whole, alone]) {
          const distance = Nets.distance(wanted, yield* quantizedOf(next, input))
          expect(distance).toBeLessThan(most)
          expect(distance).toBeGreaterThan(0)
          expect(Nets.distance(wanted, yield* Nets.floatOf(next, input))).toBeLessThan(1e-5)
        }
        expect(yield* Nets.stateOf(model)).toBe(before)
      })
    )
  )
})

describe("Quantize.quantize", () => {
  it("puts quantizers where values are made and read", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "residual", seed: 3, spread: 0 })
        const next = yield* pipe(model, MergeBatchNorm.merge({ input }), Effect.flatMap(Quantize.quantize({ input })))
        const names = next.proxies.map(([name]) => name).filter((name) => !/weightQuant|biasQuant/.test(name))
        expect(names.toSorted()).toEqual([
          "add.inputQuant",
          "add.outputQuant",
          "cat.inputQuant",
          "join.inputQuant",
          "join.outputQuant",
          "relu.actQuant",
          "stem.inputQuant"
        ])
      })
    ))
  it("takes the quantizers that it is given", () =>
    Nets.run(
      Effect.gen(function* () {
        const { model, input } = yield* Nets.make({ kind: "mlp", seed: 3, spread: 0 })
        const weight = pipe(ScaledInt.Int8WeightPerChannelFloat, Injector.let({ bitWidth: 3 }))
        const next = yield* Quantize.quantize({ input, quantizers: { weight, bias: null } })(model)
        expect(next.proxies.map(([name]) => name)).not.toContain("fc1.biasQuant")
        const proxy = next.proxies.find(([name]) => name === "fc1.weightQuant")?.[1]
        expect(proxy?.injector.table.bitWidth).toBe(3)
      })
    ))
  it("says what it does not know, and what is wrong", () =>
    Nets.run(
      Effect.gen(function* () {
        const rnn = yield* Recurrent.quantRnn({ inputSize: 3, hiddenSize: 2 })
        const told: Array<Ptq.Event> = []
        const report = (event: Ptq.Event) => Effect.sync(() => void told.push(event))
        const fc = yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 3, weightQuant: null })
        const model = Model.functional({ fc, rnn }, (layer, x: Layer.Value) => layer.rnn(layer.fc(x) as never) as never)
        yield* Quantize.quantize({ input: [2, 4, 3], report })(model)
        expect(told).toMatchObject([{ layers: ["fc"], skipped: [{ layer: "rnn" }] }])
        const unknown = yield* Effect.flip(Quantize.layerwise({ skip: ["fd"] })(model))
        expect(unknown).toMatchObject({ _tag: "UnknownLayer", nearest: "fc" })
        const bad = tf.fill([3, 3], Number.NaN)
        yield* State.load(model, { "fc.weight": bad }, "report")
        bad.dispose()
        expect(yield* Effect.flip(Quantize.layerwise()(model))).toMatchObject({ _tag: "NonFiniteWeights", layer: "fc" })
      })
    ))
})

/**
 * Cases of float networks that become quantized ones: what they compute before, the parameters, the scales after calibration, and what
 * they compute then.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope, Stream } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Convolution from "../../../../src/nn/Convolution.ts"
import * as Elementwise from "../../../../src/nn/Elementwise.ts"
import * as Layer from "../../../../src/nn/Layer.ts"
import * as Linear from "../../../../src/nn/Linear.ts"
import * as Model from "../../../../src/nn/Model.ts"
import * as Normalization from "../../../../src/nn/Normalization.ts"
import * as Pooling from "../../../../src/nn/Pooling.ts"
import * as State from "../../../../src/nn/State.ts"
import * as Calibrate from "../../../../src/ptq/Calibrate.ts"
import * as Equalize from "../../../../src/ptq/Equalize.ts"
import * as MergeBatchNorm from "../../../../src/ptq/MergeBatchNorm.ts"
import * as Quantize from "../../../../src/ptq/Quantize.ts"
import * as Stored from "../../../../src/tensor/Stored.ts"
import type { Case, Outcome } from "../../Case.ts"
import { tensorOf } from "../Core.ts"
import * as Layout from "../layers/Layout.ts"
import { type Difference, outcomeOf } from "../quantizers/Compared.ts"
import { camelOf } from "../quantizers/Names.ts"
import * as Network from "./Network.ts"
import { near } from "./Rounded.ts"

/** The residual network that the reference tells in words. */
const residual = (inChannels: number, size: number) =>
  Effect.gen(function* () {
    const conv = (channels: number) =>
      Convolution.quantConv2d({
        inChannels: channels,
        outChannels: 4,
        kernelSize: [3, 3],
        padding: 1,
        weightQuant: null
      })
    const layers = {
      conv1: yield* conv(inChannels),
      bn1: yield* Normalization.batchNorm({ channels: 4 }),
      relu: Model.relu,
      conv2: yield* conv(4),
      add: yield* Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null }),
      relu2: Model.relu,
      pool: Pooling.avgPool2d({ size: [size, size] }),
      flatten: Model.flatten,
      fc: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 3, weightQuant: null })
    }
    return Model.functional(layers, (layer, x: Layer.Value) => {
      const a = layer.relu(layer.bn1(layer.conv1(x)))
      return layer.fc(layer.flatten(layer.pool(layer.relu2(layer.add([a, layer.conv2(a)])))))
    })
  })

const made = (testCase: Case): Effect.Effect<Model.Composed, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs } = testCase
    if (Array.isArray(config.model)) return yield* Network.make(testCase)
    const model = yield* residual(inputs.x[0].shape[1], inputs.x[0].shape[2])
    const given = Object.entries<any>(inputs.params).map(([name, written]) => {
      const x = tensorOf(written)
      return [camelOf(name), x.rank > 1 ? Layout.ours(Layout.outputLast, x) : x] as const
    })
    yield* State.load(model, Object.fromEntries(given), "strict")
    return model
  })

/** Where a quantizer of the reference is here: what it inserts between layers belongs to a layer. */
const placeOf = (name: string, first: string): string => {
  const [module = "", slot] = name.split(".")
  if (slot === "input_quant") return `${module}.inputQuant`
  const beside = /^_?(.+)_(input|output)_quant$/.exec(module)
  if (beside !== null) return `${beside[1]}.${beside[2]}Quant`
  return module.endsWith("_quant") ? `${first}.inputQuant` : `${module}.actQuant`
}

const forward = (model: Layer.Layer, x: tf.Tensor, mode: Layer.Mode): Effect.Effect<tf.Tensor, Layer.InputError> =>
  Effect.map(Layer.forward(model, x, mode), (y) => Network.back(QuantTensor.dequantized(y)))

const isConvolution = (x: tf.Tensor): boolean => x.rank > 1

export const replayed = (testCase: Case): Effect.Effect<Outcome, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { config, inputs, outputs } = testCase
    const batches = inputs.x.map(Network.image) as ReadonlyArray<tf.Tensor>
    const x = batches[0] as tf.Tensor
    const plain = Layer.without(Layer.evaluation)
    const model = yield* made(testCase)
    const found: Array<Difference> = [...near("out float", outputs.float_out, yield* forward(model, x, plain), 1e-5)]
    const isLayerwise = config.op === "layerwise_quantize"
    const prepared = isLayerwise
      ? model
      : yield* pipe(
          model,
          MergeBatchNorm.merge({ input: x }),
          Effect.flatMap(Equalize.equalize({ input: x, iterations: config.equalize_iters }))
        )
    if (!isLayerwise)
      found.push(...near("out prepared", outputs.preprocessed_out, yield* forward(prepared, x, plain), 1e-5))
    const step = isLayerwise ? Quantize.layerwise() : Quantize.quantize({ input: x })
    const next = yield* pipe(prepared, step, Effect.flatMap(Calibrate.calibrate(Stream.fromIterable(batches))))
    const parameters = yield* State.parameters(next)
    for (const [name, written] of Object.entries<any>(outputs.params_after)) {
      const mine = parameters[name] as tf.Tensor
      const there = isConvolution(mine) ? Layout.theirs(Layout.outputLast, mine) : mine
      found.push(...near(`parameter ${name}`, written, there, 1e-5))
    }
    const state = yield* State.extract(next)
    const first = Object.keys(next.layers)[0] as string
    for (const [name, written] of Object.entries<any>(outputs.activation_quantizers)) {
      const place = placeOf(name, first)
      const stored = state[`${place}.scalingImpl.value`]
      if (stored === undefined) found.push({ path: `scale ${place}`, text: `${place}: there is no such quantizer` })
      else found.push(...near(`scale ${place}`, written.value, tf.tensor(Stored.floats(stored)), 1e-6))
    }
    const y = yield* forward(next, x, Layer.evaluation)
    const isNear = near("out", outputs.out, y, 0.03).length === 0
    found.push(...near(isNear ? "out by a few steps" : "out", outputs.out, y, 1e-5))
    return outcomeOf(testCase, found)
  })

/**
 * Small float networks from descriptions, for the laws of steps that prepare them.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as fc from "fast-check"
import { expect } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as LayerNorm from "../../src/nn/LayerNorm.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as State from "../../src/nn/State.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Random from "../../src/tensor/Random.ts"

/** Runs with a backend and a Scope; nothing may be left behind. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(effect)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

export interface Net {
  readonly kind: keyof typeof kinds
  readonly seed: number
  /** by how many powers of two the channels of the weights differ */
  readonly spread: number
}

interface Made {
  readonly model: Model.Composed
  readonly input: ReadonlyArray<number>
}

const float = { weightQuant: null } as const
const pair = (n: number): readonly [number, number] => [n, n]

const mlp = (seed: number) =>
  Effect.gen(function* () {
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 6, seed, ...float })
    const fc2 = yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 5, seed: seed + 1, hasBias: false, ...float })
    const fc3 = yield* Linear.quantLinear({ inFeatures: 5, outFeatures: 3, seed: seed + 2, ...float })
    const tanh = Model.stateless("Tanh", tf.tanh, { op: "tanh" })
    const layers = { fc1, relu: Model.relu, fc2, identity: Model.identity, fc3, tanh }
    return { model: Model.sequential(layers), input: [3, 4] }
  })

const cnn = (seed: number) =>
  Effect.gen(function* () {
    const conv1 = yield* Convolution.quantConv2d({
      inChannels: 2,
      outChannels: 4,
      kernelSize: pair(3),
      padding: "same",
      hasBias: seed % 2 === 0,
      seed,
      ...float
    })
    const bn1 = yield* Normalization.batchNorm({ channels: 4 })
    const depthwise = yield* Convolution.quantConv2d({
      inChannels: 4,
      outChannels: 4,
      kernelSize: pair(2),
      groups: 4,
      seed: seed + 1,
      ...float
    })
    const grouped = yield* Convolution.quantConv2d({
      inChannels: 4,
      outChannels: 6,
      kernelSize: pair(2),
      groups: 2,
      strides: pair(2),
      padding: 1,
      seed: seed + 2,
      ...float
    })
    const bn2 = yield* Normalization.batchNorm({ channels: 6 })
    const up = yield* TransposedConvolution.quantConvTranspose2d({
      inChannels: 6,
      outChannels: 4,
      kernelSize: pair(2),
      strides: pair(2),
      groups: 2,
      seed: seed + 3,
      ...float
    })
    const bn3 = yield* Normalization.batchNorm({ channels: 4 })
    const fc = yield* Linear.quantLinear({ inFeatures: 16, outFeatures: 3, seed: seed + 4, ...float })
    const layers = {
      conv1,
      bn1,
      relu1: Model.relu,
      depthwise,
      grouped,
      bn2,
      relu2: Model.relu,
      up,
      bn3,
      pool: Pooling.maxPool2d({ size: pair(2) }),
      average: Pooling.avgPool2d({ size: pair(2), strides: pair(1) }),
      flatten: Model.flatten,
      fc
    }
    return { model: Model.sequential(layers), input: [2, 6, 6, 2] }
  })

const residual = (seed: number) =>
  Effect.gen(function* () {
    const conv = (inChannels: number, outChannels: number, more: number) =>
      Convolution.quantConv2d({ inChannels, outChannels, kernelSize: pair(1), seed: seed + more, ...float })
    const plain = { inputQuant: null, outputQuant: null } as const
    const stem = yield* conv(2, 4, 0)
    const left = yield* conv(4, 4, 1)
    const right = yield* conv(4, 3, 2)
    const head = yield* conv(7, 2, 3)
    const tail = yield* conv(4, 2, 4)
    const bn = yield* Normalization.batchNorm({ channels: 4 })
    const add = yield* Elementwise.quantEltwiseAdd(plain)
    const cat = yield* Elementwise.quantCat(plain)
    const join = yield* Elementwise.quantEltwiseAdd(plain)
    const layers = { stem, bn, relu: Model.relu, left, right, head, tail, add, cat, join }
    const model = Model.functional(layers, (layer, x: Layer.Value) => {
      const a = layer.relu(layer.bn(layer.stem(x)))
      const sum = layer.add([layer.left(a), a])
      const all = layer.cat([sum, layer.right(a)])
      return layer.join([layer.head(layer.relu(all)), layer.tail(sum)])
    })
    return { model, input: [2, 3, 3, 2] }
  })

/** A residual stream that is normalized before each branch. */
const stream = (seed: number) =>
  Effect.gen(function* () {
    const linear = (inFeatures: number, outFeatures: number, more: number) =>
      Linear.quantLinear({ inFeatures, outFeatures, seed: seed + more, ...float })
    const plain = { inputQuant: null, outputQuant: null } as const
    const layers = {
      embed: yield* linear(3, 8, 0),
      norm1: yield* LayerNorm.rmsNorm({ channels: 8 }),
      up1: yield* linear(8, 12, 1),
      relu: Model.relu,
      down1: yield* linear(12, 8, 2),
      add1: yield* Elementwise.quantEltwiseAdd(plain),
      norm2: yield* LayerNorm.rmsNorm({ channels: 8 }),
      up2: yield* linear(8, 12, 3),
      down2: yield* linear(12, 8, 4),
      add2: yield* Elementwise.quantEltwiseAdd(plain),
      norm3: yield* LayerNorm.rmsNorm({ channels: 8 }),
      head: yield* linear(8, 2, 5)
    }
    const model = Model.functional(layers, (layer, x: Layer.Value) => {
      const a = layer.embed(x)
      const b = layer.add1([layer.down1(layer.relu(layer.up1(layer.norm1(a)))), a])
      const c = layer.add2([b, layer.down2(layer.relu(layer.up2(layer.norm2(b))))])
      return layer.head(layer.norm3(c))
    })
    return { model, input: [4, 3] }
  })

/** A quantized network: steps work on the float network behind it. */
const quantized = (seed: number) =>
  Effect.gen(function* () {
    const fc1 = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 5, seed })
    const relu = yield* Activation.quantReLU()
    const fc2 = yield* Linear.quantLinear({ inFeatures: 5, outFeatures: 2, seed: seed + 1 })
    return { model: Model.sequential({ body: Model.sequential({ fc1, relu }), fc2 }), input: [3, 4] }
  })

const kinds = { mlp, cnn, residual, stream, quantized }

/** The network of a description; channels of weights, statistics and normalizations are drawn from its seed. */
export const make = ({ kind, seed, spread }: Net): Effect.Effect<Made, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { model, input } = yield* kinds[kind](seed) as Effect.Effect<Made, unknown, Scope.Scope>
    const state = yield* State.extract(model)
    const random = Random.make(seed + 77)
    const own = Object.entries(state).filter(([name]) => !name.includes("Quant."))
    const drawn = own.map(([name, { shape }]) => {
      const count = shape.reduce((a, b) => a * b, 1)
      const values = Random.normal(Random.split(random, name), count, 0, 0.5)
      const channels = shape.at(-1) as number
      const powers = Random.uniform(Random.split(random, `${name} powers`), channels, -spread, spread)
      return [
        name,
        values.map((value, i) => {
          if (name.endsWith("runningVar")) return Math.abs(value) + 0.3
          const factor = name.endsWith("weight") ? 2 ** (powers[i % channels] as number) : 1
          return (shape.length === 1 && name.endsWith("weight") ? Math.abs(value) + 0.2 : value) * factor
        }),
        shape
      ] as const
    })
    const tensors = Object.fromEntries(drawn.map(([name, data, shape]) => [name, tf.tensor(data, [...shape])]))
    yield* State.load(model, tensors, "report")
    tf.dispose(tensors)
    return { model, input }
  })

/** Descriptions of networks. */
export const net = (...only: ReadonlyArray<Net["kind"]>): fc.Arbitrary<Net> =>
  fc.record({
    kind: fc.constantFrom(...(only.length > 0 ? only : (Object.keys(kinds) as ReadonlyArray<Net["kind"]>))),
    seed: fc.integer({ min: 0, max: 1000 }),
    spread: fc.integer({ min: 0, max: 4 })
  })

/** A batch of inputs of a shape. */
export const batch = (shape: ReadonlyArray<number>, seed = 3): tf.Tensor => {
  const count = shape.reduce((a, b) => a * b, 1)
  return tf.tensor(Random.normal(Random.make(seed), count, 0, 1), [...shape])
}

/** What the float network answers. */
export const floatOf = (
  model: Layer.Layer<Layer.Value, Layer.Values>,
  input: ReadonlyArray<number>
): Effect.Effect<Float32Array, Layer.InputError> =>
  Effect.gen(function* () {
    const x = batch(input)
    const y = yield* Layer.forward(model, x, Layer.without(Layer.evaluation))
    const values = Float32Array.from(QuantTensor.dequantized(y as Layer.Value).dataSync())
    tf.dispose([x, ...Layer.tensorsIn(y)])
    return values
  })

/** The largest difference, in units of the largest value. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const most = Array.from(a).reduce((so, value) => Math.max(so, Math.abs(value)), 1e-6)
  return Array.from(a).reduce((so, value, i) => Math.max(so, Math.abs(value - (b[i] as number)) / most), 0)
}

/** All numbers of a model's state. */
export const stateOf = (model: Layer.Stateful): Effect.Effect<string> =>
  Effect.map(State.extract(model), (state) =>
    JSON.stringify(Object.entries(state).map(([name, { data, shape }]) => [name, shape, [...data]]))
  )

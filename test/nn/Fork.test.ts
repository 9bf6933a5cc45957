/** Forks: the same model over its own cells, with other parameters or quantizers where asked for. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Exit, Scope } from "effect"
import { expect } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Attention from "../../src/nn/Attention.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Dropout from "../../src/nn/Dropout.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Fork from "../../src/nn/Fork.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Recurrent from "../../src/nn/Recurrent.ts"
import * as State from "../../src/nn/State.ts"
import type * as Weighted from "../../src/nn/Weighted.ts"
import * as QuantProxy from "../../src/proxy/QuantProxy.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Random from "../../src/tensor/Random.ts"
import { onBackends, owned, scoped, trained } from "./Scoped.ts"

const drawn = (seed: number, ...shape: ReadonlyArray<number>) =>
  owned(() => tf.tensor(Random.normal(Random.make(seed), tf.util.sizeFromShape([...shape]), 0, 1), [...shape]))

/** All numbers of a state, and all that a layer answers. */
const stateOf = (layer: Layer.Stateful) => Effect.map(State.extract(layer), (state) => JSON.stringify(state))
const answered = <In, Out extends Layer.Values>(layer: Layer.Layer<In, Out>, x: In, mode = Layer.evaluation) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const found = Layer.tensorsIn(y).map((tensor) => [...tensor.dataSync()])
    tf.dispose([...Layer.tensorsIn(y)])
    return found
  })

const residual = Effect.gen(function* () {
  const input = yield* Activation.quantIdentity()
  const conv = yield* Convolution.quantConv2d({
    inChannels: 2,
    outChannels: 2,
    kernelSize: [3, 3],
    padding: "same",
    seed: 1,
    weightQuant: ScaledInt.Int8WeightPerChannelFloat
  })
  const norm = yield* Normalization.batchNorm({ channels: 2 })
  const add = yield* Elementwise.quantEltwiseAdd({})
  const drop = yield* Dropout.dropout({ probability: 0.3 })
  const out = yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 3, seed: 2 })
  const body = Model.functional({ conv, norm, add }, (layer, x: Layer.Value) =>
    layer.add([layer.norm(layer.conv(layer.conv(x))), x])
  )
  return { model: Model.sequential({ input, body, flat: Model.flatten, drop, out }), x: yield* drawn(3, 4, 4, 4, 2) }
})

const sharing = Effect.gen(function* () {
  const first = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 4, seed: 1 })
  const second = yield* Linear.quantLinear({
    inFeatures: 4,
    outFeatures: 4,
    seed: 2,
    weightQuant: first.weightQuant as QuantProxy.QuantProxy
  })
  return {
    model: Model.sequential({ first, inner: Model.sequential({ second, again: first }) }),
    x: yield* drawn(4, 5, 4)
  }
})

const clamped = Effect.gen(function* () {
  const fc = yield* Linear.quantLinear({
    inFeatures: 4,
    outFeatures: 4,
    weightQuant: Binary.SignedBinaryWeightPerTensorConst
  })
  return { model: Model.sequential({ fc }), x: yield* drawn(5, 5, 4) }
})

const subjects = { residual, sharing, clamped }

onBackends("Fork", () => {
  for (const [name, subject] of Object.entries(subjects)) {
    scoped(`${name}: answers what the model answers, and either learns alone`, () =>
      Effect.gen(function* () {
        const { model, x } = yield* subject
        yield* trained(model, x, 2)
        const before = yield* stateOf(model)
        const fork = yield* Fork.make(model)
        expect(fork.cells.map(([path]) => path)).toEqual(model.cells.map(([path]) => path))
        const mine = new Set(model.cells.map(([, cell]) => cell))
        expect(fork.cells.some(([, cell]) => mine.has(cell))).toBe(false)
        const wanted = yield* answered(model, x)
        expect(yield* answered(fork, x)).toEqual(wanted)
        const float = Layer.without(Layer.evaluation)
        expect(yield* answered(fork, x, float)).toEqual(yield* answered(model, x, float))
        const losses = yield* trained(fork, x, 4)
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* answered(model, x)).toEqual(wanted)
        const after = yield* stateOf(fork)
        expect(after).not.toBe(before)
        // the model learns the same, for it begins with the same
        expect(yield* trained(model, x, 4)).toEqual(losses)
        expect(yield* stateOf(model)).toBe(after)
        yield* trained(model, x, 1)
        expect(yield* stateOf(fork)).toBe(after)
      })
    )
    scoped(`${name}: loads and reloads alone, forks again, freezes`, () =>
      Effect.gen(function* () {
        const { model, x } = yield* subject
        const fork = yield* Fork.make(model)
        const again = yield* Fork.make(fork)
        const before = yield* stateOf(model)
        const wanted = yield* answered(model, x)
        const half = Object.fromEntries(
          Object.entries(yield* State.parameters(model))
            .filter(([path]) => path.endsWith(".weight"))
            .map(([path, tensor]) => [path, tf.mul(tensor, 0.5)])
        )
        yield* State.load(fork, half)
        expect(yield* stateOf(model)).toBe(before)
        expect(yield* answered(again, x)).toEqual(wanted)
        // the quantizers of the fork follow the weights of the fork
        yield* State.load(model, half)
        expect(yield* answered(fork, x)).toEqual(yield* answered(model, x))
        expect(yield* stateOf(fork)).toBe(yield* stateOf(model))
        for (const [, proxy] of fork.proxies) yield* QuantProxy.reload(proxy)
        for (const [, proxy] of model.proxies) yield* QuantProxy.reload(proxy)
        expect(yield* answered(fork, x)).toEqual(yield* answered(model, x))
        const frozen = yield* Frozen.make(again)
        yield* trained(again, x, 2)
        expect(yield* answered(frozen, x)).toEqual(wanted)
        tf.dispose(half)
      })
    )
  }

  scoped("keeps what layers share together, and their places in a model", () =>
    Effect.gen(function* () {
      const { model } = yield* sharing
      const fork = yield* Fork.make(model)
      const inner = fork.layers.inner as Model.Composed
      expect(inner.layers.again).toBe(fork.layers.first)
      const [first, second] = [fork.layers.first, inner.layers.second] as unknown as ReadonlyArray<Weighted.Weighted>
      expect(first?.weightQuant).toBe(second?.weightQuant)
      expect(first?.weightQuant).toBe(fork.proxies[0]?.[1])
      expect(first?.own).toBe(fork.cells[0]?.[1])
    })
  )

  scoped("forks one layer that shares a quantizer with another: the other's weights stay those of the moment", () =>
    Effect.gen(function* () {
      const { model, x } = yield* sharing
      const second = (model.layers.inner as Model.Composed).layers.second as Weighted.Weighted
      const fork = yield* Fork.make(second)
      const wanted = yield* answered(second, x)
      yield* trained(model.layers.first as Layer.Layer, x, 3)
      expect(yield* answered(second, x)).not.toEqual(wanted)
      expect(yield* answered(fork, x)).toEqual(wanted)
      const fc = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 4, weightQuant: fork.weightQuant ?? null })
      expect(yield* answered(fork, x)).not.toEqual(yield* answered(second, x))
      expect(fc.weightQuant).toBe(fork.weightQuant)
    })
  )

  scoped("outlives the model, and is released once", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { model, x } = yield* Scope.provide(residual, scope)
      const middle = yield* Scope.make()
      const fork = yield* Scope.provide(Fork.make(model), middle)
      const last = yield* Fork.make(fork)
      const kept = yield* owned(() => x.clone())
      const wanted = yield* answered(model, kept)
      yield* Scope.close(scope, Exit.void)
      expect(yield* answered(fork, kept)).toEqual(wanted)
      yield* Scope.close(middle, Exit.void)
      expect(yield* answered(last, kept)).toEqual(wanted)
      yield* trained(last, kept, 2)
      for (const [, proxy] of last.proxies) yield* QuantProxy.reload(proxy)
      yield* trained(last, kept, 2)
    })
  )

  scoped("holds for recurrent layers and attention", () =>
    Effect.gen(function* () {
      const x = yield* drawn(6, 2, 3, 4)
      const lstm = yield* Recurrent.quantLstm({
        inputSize: 4,
        hiddenSize: 4,
        bidirectional: true,
        sharedInputHiddenWeights: true
      })
      const attention = yield* Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2, addBiasKv: true })
      for (const layer of [lstm, attention] as ReadonlyArray<Layer.Layer<tf.Tensor, Layer.Values>>) {
        const fork = yield* Fork.make(yield* Fork.make(layer))
        const before = yield* stateOf(layer)
        const float = Layer.without(Layer.evaluation)
        expect(yield* answered(fork, x, float)).toEqual(yield* answered(layer, x, float))
        // collecting statistics is all that a call in training does to a layer
        const wanted = yield* answered(fork, x, Layer.training)
        yield* answered(fork, x, Layer.training)
        expect(yield* stateOf(layer)).toBe(before)
        expect(yield* answered(layer, x, Layer.training)).toEqual(wanted)
        yield* answered(layer, x, Layer.training)
        expect(yield* answered(fork, x)).toEqual(yield* answered(layer, x))
      }
    })
  )

  scoped("tells a watcher of its own quantizers", () =>
    Effect.gen(function* () {
      const { model, x } = yield* residual
      const fork = yield* Fork.make(yield* Fork.make(model))
      const seen = new Set<QuantProxy.QuantProxy>()
      yield* answered(fork, x, { ...Layer.without(Layer.evaluation), watch: (proxy) => seen.add(proxy) })
      expect(seen.size).toBeGreaterThan(3)
      expect([...seen].every((proxy) => fork.proxies.some(([, own]) => own === proxy))).toBe(true)
    })
  )

  scoped("begins with other parameters, of other shapes too", () =>
    Effect.gen(function* () {
      const fc = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3 })
      const x = yield* drawn(7, 2, 2)
      const before = yield* stateOf(fc)
      const fork = yield* Fork.make(fc, (cell, now) =>
        cell === fc.own ? { ...now, parameters: { weight: tf.ones([2, 5]), bias: tf.zeros([5]) } } : undefined
      )
      const [y] = yield* answered(fork, x)
      expect(y?.length).toBe(10)
      expect(yield* stateOf(fc)).toBe(before)
    })
  )
})

onBackends("Fork.requantized", () => {
  const network = Effect.gen(function* () {
    const input = yield* Activation.quantIdentity()
    const fc = yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 4, seed: 3 })
    return { model: Model.sequential({ input, fc }), x: yield* drawn(8, 4, 32) }
  })

  scoped("resolves other declarations for the weights, and leaves the model as it is", () =>
    Effect.gen(function* () {
      const { model, x } = yield* network
      const before = yield* stateOf(model)
      for (const weightQuant of [ScaledInt.Int8WeightPerChannelFloat, Microscaling.MXInt8Weight]) {
        const fork = yield* Fork.requantized(model, (name) => (name === "fc.weightQuant" ? weightQuant : undefined))
        const input = yield* Activation.quantIdentity()
        const fc = yield* Linear.quantLinear({
          inFeatures: 32,
          outFeatures: 4,
          seed: 3,
          weightQuant: weightQuant as never
        })
        const made = Model.sequential({ input, fc })
        expect(yield* answered(fork, x)).toEqual(yield* answered(made, x))
        expect(yield* stateOf(fork)).toBe(yield* stateOf(made))
        expect(yield* trained(fork, x, 3)).toEqual(yield* trained(made, x, 3))
        const y = yield* Layer.forward(fork.layers.fc as Layer.Layer, x)
        tf.dispose([...Layer.tensorsIn(y)])
      }
      expect(yield* stateOf(model)).toBe(before)
    })
  )

  scoped("leaves out what is null, also in forks of it, and names the new declaration in errors", () =>
    Effect.gen(function* () {
      const { model, x } = yield* network
      const none = yield* Fork.requantized(model, () => null)
      const again = yield* Fork.make(none)
      expect(none.proxies).toEqual([])
      expect((none.layers.fc as Weighted.Weighted).weightQuant).toBe(undefined)
      expect(none.cells.map(([name]) => name)).toEqual(["fc"])
      const wanted = yield* answered(model, x, Layer.without(Layer.evaluation))
      expect(yield* answered(none, x)).toEqual(wanted)
      expect(yield* answered(again, x)).toEqual(wanted)
      const perChannel = yield* Fork.requantized(model, (name) =>
        name === "input.actQuant"
          ? Object.assign({}, ScaledInt.Int8ActPerTensorFloat, {
              name: "Mine",
              table: {
                ...ScaledInt.Int8ActPerTensorFloat.table,
                scalingPerOutput: "channel",
                perChannelBroadcastableShape: [1, 7],
                scalingStatsPermuteDims: [1, 0]
              }
            })
          : undefined
      )
      const error = yield* Effect.flip(Layer.forward(perChannel, x))
      expect(error).toMatchObject({ _tag: "ShapeMismatch" })
      expect(error.message).toContain("Mine")
    })
  )

  scoped("changes nothing and leaks nothing where a declaration does not resolve", () =>
    Effect.gen(function* () {
      const { model } = yield* network
      const before = yield* stateOf(model)
      const count = tf.memory().numTensors
      const error = yield* Effect.flip(
        Effect.scoped(Fork.requantized(model, () => ({ ...ScaledInt.Int8ActPerTensorFloat, table: {} })))
      )
      expect(error).toMatchObject({ _tag: "MissingDependency" })
      expect(tf.memory().numTensors).toBe(count)
      expect(yield* stateOf(model)).toBe(before)
      const cell = model.cells[0]?.[1]
      expect(cell && LeasedRef.current(cell).slot).toBe("activation")
    })
  )

  scoped("quantizes the answer as a quant tensor that names the new declaration", () =>
    Effect.gen(function* () {
      const act = yield* Activation.quantIdentity({ returnQuantTensor: true })
      const fork = yield* Fork.requantized(act, () => ScaledInt.Uint8ActPerTensorFloat)
      const x = yield* drawn(9, 3)
      const y = yield* Layer.forward(fork, x, Layer.training)
      expect(QuantTensor.isQuantTensor(y) && y.signed).toBe(false)
      tf.dispose([...Layer.tensorsIn(y)])
    })
  )
})

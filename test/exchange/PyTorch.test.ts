/** State dicts of PyTorch, told by loops that know nothing of TensorFlow.js: what a layer there computes, a layer here computes. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as PyTorch from "../../src/exchange/PyTorch.ts"
import * as Names from "../../src/exchange/PyTorchNames.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Embedding from "../../src/nn/Embedding.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as State from "../../src/nn/State.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Cell from "../../src/proxy/Cell.ts"
import type { Origins } from "../../src/proxy/Origin.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Stored from "../../src/tensor/Stored.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

/** Numbers of a shape, the same every time. */
const numbers = (shape: ReadonlyArray<number>, seed: number): Stored.Stored =>
  Stored.fromFloats(
    Float32Array.from({ length: Stored.sizeOf(shape) }, (_, i) => Math.sin(12.9898 * (i + 1) * seed)),
    shape
  )
/** The element at an index, in whatever shape the tensor has. */
const at = (stored: Stored.Stored, ...index: ReadonlyArray<number>): number =>
  Stored.floats(stored)[index.reduce((i, j, axis) => i * (stored.shape[axis] as number) + j, 0)] as number
const range = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => i)

/** Runs a layer and answers its float values. */
const run = (layer: Layer.Layer, x: Stored.Stored) =>
  Effect.map(
    Effect.flatMap(
      Effect.acquireRelease(
        Effect.sync(() => Result.getOrThrow(Stored.toTensor(x))),
        (tensor) => Effect.sync(() => tensor.dispose())
      ),
      (tensor) => Layer.forward(layer, tensor)
    ),
    (y) => {
      const values = [...(y as tf.Tensor).dataSync()]
      tf.dispose(y as tf.Tensor)
      return values
    }
  )
const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
  expect(actual.length).toBe(expected.length)
  actual.forEach((y, i) => {
    expect(y).toBeCloseTo(expected[i] as number, 4)
  })
}

const scaleKey = "weight_quant.tensor_quant.scaling_impl.value"

/** A layer of nothing but its own state. */
const holder = (parameters: Readonly<Record<string, ReadonlyArray<number>>>, origins: Origins) =>
  Effect.gen(function* () {
    const made = Object.fromEntries(Object.entries(parameters).map(([name, shape]) => [name, tf.zeros([...shape])]))
    const own = yield* LeasedRef.make(Cell.own({ parameters: made, memory: {} }, origins))
    tf.dispose(Object.values(made))
    return { kind: "Holder", cells: [["", own]], proxies: [], apply: (states, x) => [x, states] } as Layer.Layer
  })

describe("learned scales of groups", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))
  const options = {
    inChannels: 4,
    outChannels: 3,
    kernelSize: [2, 1],
    weightQuant: Microscaling.MXInt8WeightMSE
  } as const
  const weight = { groupSize: 2 }

  it.each([
    ["a convolution", () => Convolution.quantConv2d({ ...options, weight }), [3, 2, 1, 2, 1]],
    [
      "a transposed convolution",
      () => TransposedConvolution.quantConvTranspose2d({ ...options, weight }),
      [2, 1, 3, 2, 1]
    ]
  ] as const)("of %s lie as the groups of its weight do there", (_, make, shape) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const layer = yield* make()
          yield* Layer.forward(layer, tf.ones([1, 3, 3, 4]))
          const dict = yield* PyTorch.toStateDict(layer)
          const { "weight_quant.tensor_quant.scaling_impl.value": scale, weight: whole } = dict
          expect(scale?.shape).toEqual(shape)
          // the scale of a group is near what its largest weight needs
          const isTransposed = shape[1] === 1
          for (const o of range(3))
            for (const g of range(2))
              for (const k of range(2)) {
                const learned = isTransposed
                  ? at(scale as Stored.Stored, g, 0, o, k, 0)
                  : at(scale as Stored.Stored, o, g, 0, k, 0)
                const sizes = range(2).map((i) => {
                  const channel = 2 * g + i
                  const index = isTransposed ? [channel, o, k, 0] : [o, channel, k, 0]
                  return Math.abs(at(whole as Stored.Stored, ...index))
                })
                const largest = Math.max(...sizes)
                expect(2 ** learned / largest).toBeGreaterThan(0.25)
                expect(2 ** learned / largest).toBeLessThan(2.01)
              }
          const other = yield* make()
          yield* PyTorch.load(other, dict, "strict")
          expect(yield* PyTorch.toStateDict(other)).toEqual(dict)
        })
      )
    )
  )
})

describe("PyTorchNames", () => {
  it("finds a name here and its name there to be the same", () => {
    const slots = ["weight", "bias", "input", "output", "activation"] as const
    const part = fc.stringMatching(/^[a-z][a-zA-Z0-9]{0,8}$/)
    fc.assert(
      fc.property(part, fc.constantFrom(...slots), part, (proxy, slot, path) => {
        expect(Names.common(Names.ofQuantizer(proxy, slot, path))).toBe(Names.common(`${proxy}.${path}`))
        expect(Names.common(Names.snake(path))).toBe(Names.common(path))
      })
    )
  })

  it("knows old names, and what is left behind", () => {
    const old = "act_quant_proxy.fused_activation_quant_proxy.tensor_quant.scaling_impl.learned_value"
    expect(Names.common(old)).toBe(Names.common("actQuant.scalingImpl.value"))
    expect(["bn.num_batches_tracked", "a.zero_hw_sentinel", "a.weight"].map(Names.isUnused)).toEqual([
      true,
      true,
      false
    ])
  })
})

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`PyTorch on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    scopedTest("a linear layer: weight [out, in]", () =>
      Effect.gen(function* () {
        const dict = { weight: numbers([3, 2], 1), bias: numbers([3], 2) }
        const linear = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, weightQuant: null })
        const x = numbers([4, 2], 3)
        yield* PyTorch.load(linear, dict, "strict")
        const expected = range(4).flatMap((n) =>
          range(3).map((o) => range(2).reduce((y, i) => y + at(x, n, i) * at(dict.weight, o, i), at(dict.bias, o)))
        )
        close(yield* run(linear, x), expected)
        expect(yield* PyTorch.toStateDict(linear)).toEqual(dict)
      })
    )

    scopedTest("a convolution of images, with groups: weight [out, in / groups, h, w]", () =>
      Effect.gen(function* () {
        const [inChannels, outChannels, groups] = [4, 6, 2]
        const dict = { weight: numbers([outChannels, inChannels / groups, 3, 2], 1), bias: numbers([outChannels], 2) }
        const conv = yield* Convolution.quantConv2d({
          inChannels,
          outChannels,
          groups,
          kernelSize: [3, 2],
          weightQuant: null
        })
        const x = numbers([1, 4, 5, inChannels], 3)
        yield* PyTorch.load(conv, dict, "strict")
        const expected = range(2).flatMap((h) =>
          range(4).flatMap((w) =>
            range(outChannels).map((o) => {
              const first = Math.floor(o / (outChannels / groups)) * (inChannels / groups)
              const products = range(inChannels / groups).flatMap((i) =>
                range(3).flatMap((kh) =>
                  range(2).map((kw) => at(x, 0, h + kh, w + kw, first + i) * at(dict.weight, o, i, kh, kw))
                )
              )
              return products.reduce((a, b) => a + b, at(dict.bias, o))
            })
          )
        )
        close(yield* run(conv, x), expected)
        expect(yield* PyTorch.toStateDict(conv)).toEqual(dict)
      })
    )

    scopedTest("an embedding as it is, and a batch normalization with its running statistics", () =>
      Effect.gen(function* () {
        const table = yield* Embedding.quantEmbedding({ numEmbeddings: 3, embeddingDim: 3, weightQuant: null })
        const norm = yield* Normalization.batchNorm({ channels: 3 })
        const model = {
          ...Model.sequential({ norm }),
          cells: [["table", table.own] as const, ["norm", norm.own] as const]
        }
        const dict = {
          "table.weight": numbers([3, 3], 1),
          "norm.weight": numbers([3], 2),
          "norm.bias": numbers([3], 3),
          "norm.running_mean": numbers([3], 4),
          "norm.running_var": Stored.fromFloats(Float32Array.of(1, 4, 9), [3])
        }
        const counter: Stored.Stored = { dtype: "I64", shape: [], data: new Uint8Array(8) }
        yield* PyTorch.load(model, { ...dict, "norm.num_batches_tracked": counter }, "strict")
        expect((yield* State.extract(model))["table.weight"]).toEqual(dict["table.weight"])
        expect(yield* PyTorch.toStateDict(model)).toEqual(dict)
        const x = numbers([2, 3], 5)
        const of = (name: "weight" | "bias" | "running_mean" | "running_var", c: number) => at(dict[`norm.${name}`], c)
        const expected = range(6).map((i) => {
          const c = i % 3
          const normal = (at(x, Math.floor(i / 3), c) - of("running_mean", c)) / Math.sqrt(of("running_var", c) + 1e-5)
          return normal * of("weight", c) + of("bias", c)
        })
        close(yield* run(norm, x), expected)
      })
    )

    scopedTest("a whole float network is adopted: quantizers begin anew, counters are left behind", () =>
      Effect.gen(function* () {
        const conv1 = yield* Convolution.quantConv2d({ inChannels: 1, outChannels: 2, kernelSize: [2, 2] })
        const act = yield* Activation.quantReLU()
        const fcOut = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3 })
        const model = Model.sequential({ conv1, act, fcOut }) as Layer.Layer
        const counter: Stored.Stored = { dtype: "I64", shape: [], data: new Uint8Array(8) }
        const dict: Stored.Tensors = {
          "module.conv1.weight": numbers([2, 1, 2, 2], 1),
          "module.conv1.bias": numbers([2], 2),
          "module.conv1.num_batches_tracked": counter,
          "module.fc_out.weight": numbers([3, 2], 3),
          "module.fc_out.bias": numbers([3], 4)
        }
        const file = Result.getOrThrow(Safetensors.decode(Safetensors.encode(dict))).tensors
        const loaded = yield* PyTorch.load(model, file)
        expect(loaded).toMatchObject({ missing: ["act.actQuant.scalingImpl.value"], unexpected: [] })
        const back = yield* PyTorch.toStateDict(model)
        expect(Object.keys(back)).toEqual(["conv1.weight", "conv1.bias", "fc_out.weight", "fc_out.bias"])
        for (const [name, stored] of Object.entries(back)) expect(stored).toEqual(dict[`module.${name}`])
      })
    )

    scopedTest("a scale for each channel and a value for each weight lie as the weight does", () =>
      Effect.gen(function* () {
        const conv = yield* Convolution.quantConv2d({
          inChannels: 2,
          outChannels: 3,
          kernelSize: [2, 2],
          hasBias: false,
          weight: { scalingImplType: "parameter", scalingPerOutput: "channel", scalingInit: 1 }
        } as never)
        const dict = { weight: numbers([3, 2, 2, 2], 1), [scaleKey]: numbers([3, 1, 1, 1], 2) }
        yield* PyTorch.load(conv, dict, "strict")
        const scale = (yield* State.extract(conv))["weightQuant.scalingImpl.value"]
        expect([...Stored.floats(scale as Stored.Stored)]).toEqual([...Stored.floats(dict[scaleKey] as Stored.Stored)])
        expect(yield* PyTorch.toStateDict(conv)).toEqual(dict)
        const wrong = { ...dict, [scaleKey]: numbers([3, 1, 1, 2], 2) }
        expect(yield* Effect.flip(PyTorch.load(conv, wrong))).toMatchObject({ _tag: "ShapeMismatch" })
      })
    )

    scopedTest("a wrong shape is told in PyTorch's layout, an unknown name as it is there; nothing changes", () =>
      Effect.gen(function* () {
        const fc1 = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3 })
        const model = Model.sequential({ fc1 }) as Layer.Layer
        const before = yield* State.extract(model)
        const good = { "fc1.weight": numbers([3, 2], 1), "fc1.bias": numbers([3], 1) }
        const turned = yield* Effect.flip(PyTorch.load(model, { ...good, "fc1.weight": numbers([2, 3], 1) }))
        expect(turned.message).toBe('"fc1.weight" in PyTorch\'s layout: expected shape [3, 2], got [2, 3]')
        const unknown = yield* Effect.flip(PyTorch.load(model, { ...good, "fc1.wieght": numbers([1], 1) }))
        expect(unknown).toMatchObject({ _tag: "UnexpectedKeys", keys: ["fc1.wieght"], nearest: ["fc1.weight"] })
        const { "fc1.bias": _, ...less } = good
        expect(yield* Effect.flip(PyTorch.load(model, less))).toMatchObject({ _tag: "MissingKeys", keys: ["fc1.bias"] })
        expect(yield* State.extract(model)).toEqual(before)
      })
    )

    scopedTest(
      "a layer says itself where its parameters stand: gates of one tensor, sums of two biases, names above",
      () =>
        Effect.gen(function* () {
          const gates = ["input", "forget", "cell", "output"]
          const origins: Origins = Object.fromEntries(
            gates.flatMap((gate, index) => {
              const part = { index, of: 4 }
              return [
                [`${gate}.inputWeight`, [{ keys: ["weight_ih_l0"], above: 2, part, axes: [1, 0] }]],
                [`${gate}.bias`, [{ keys: ["bias_ih_l0", "bias_hh_l0"], above: 2, part }]]
              ] as const
            })
          )
          const shapes = Object.fromEntries(
            gates.flatMap((gate) => [
              [`${gate}.inputWeight`, [3, 2]],
              [`${gate}.bias`, [2]]
            ])
          )
          const inner = yield* holder(shapes, origins)
          const model = { ...inner, cells: inner.cells.map(([, cell]) => ["lstm.layers.0", cell] as const) }
          const dict = {
            "lstm.weight_ih_l0": numbers([8, 3], 1),
            "lstm.bias_ih_l0": numbers([8], 2),
            "lstm.bias_hh_l0": numbers([8], 3)
          }
          yield* PyTorch.load(model, dict, "strict")
          const state = yield* State.extract(model)
          const weight = state["lstm.layers.0.cell.inputWeight"] as Stored.Stored
          expect(at(weight, 2, 1)).toBe(at(dict["lstm.weight_ih_l0"], 5, 2))
          const bias = state["lstm.layers.0.output.bias"] as Stored.Stored
          expect(at(bias, 1)).toBe(Math.fround(at(dict["lstm.bias_ih_l0"], 7) + at(dict["lstm.bias_hh_l0"], 7)))
          // the names of Brevitas serve as well: they follow from its own
          const own = Object.fromEntries(Object.entries(state).map(([name, one]) => [Names.snake(name), one]))
          yield* PyTorch.load(model, own, "strict")
          expect(yield* State.extract(model)).toEqual(state)
        })
    )
  })

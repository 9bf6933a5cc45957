import * as tf from "@tensorflow/tfjs-core"
import { Cause, Effect, Exit, pipe, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as BinaryQuant from "../../src/core/BinaryQuant.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Scaling from "../../src/core/Scaling.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import { Int8ActPerTensorFloat } from "../../src/quant/ScaledInt.ts"
import * as Tree from "../../src/tensor/Tree.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const numbers = (tensor: tf.Tensor): ReadonlyArray<number> => Array.from(tensor.dataSync())

/** The value that a layer answers, as numbers; what it answers is disposed. */
const answer = (layer: Layer.Layer, x: Layer.Value, mode?: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), (y) => {
    const values = numbers(QuantTensor.dequantized(y))
    tf.dispose([...QuantTensor.tensorsOf(y)])
    return values
  })
const scale = (proxy: Activation.Activation["actQuant"], x: tf.Tensor) =>
  Effect.map(Layer.scaleOf(proxy as NonNullable<typeof proxy>, x), (made) => {
    const [value] = numbers(made)
    made.dispose()
    return Number(value)
  })
const memoryOf = (layer: Layer.Layer): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Layer.read(layer).values()].flatMap(({ memory }) =>
      Tree.leaves(memory).map(([name, leaf]) => [name, typeof leaf === "number" ? leaf : Number(numbers(leaf)[0])])
    )
  )
const near = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>): void => {
  expect(actual.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5)
}

for (const [backend, started] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`layers on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, started, { local: true }))))

    scopedTest("linear: x times the quantized weight, plus the bias", () =>
      Effect.gen(function* () {
        const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weight: { bitWidth: 3 } })
        // narrow 3 bits: -3..3, the largest magnitude 6 gives the scale 2
        const weight = yield* owned(() =>
          tf.tensor2d([
            [6, -2.9],
            [0.9, 3.1]
          ])
        )
        const bias = yield* owned(() => tf.tensor1d([0.5, -0.25]))
        yield* State.load(layer, { weight, bias }, "float")
        const x = yield* owned(() =>
          tf.tensor2d([
            [1, 2],
            [-3, 0.5]
          ])
        )
        // the quantized weight is [[6, -2], [0, 4]]
        near(yield* answer(layer, x), [6.5, 5.75, -17.5, 7.75])
        const w = yield* Weighted.quantWeight(layer)
        expect([numbers(w.value), numbers(w.scale), numbers(w.bitWidth), w.signed]).toEqual([
          [6, -2, 0, 4],
          [2],
          [3],
          true
        ])
        expect(QuantTensor.isValid(w)).toBe(true)
        tf.dispose([...QuantTensor.tensorsOf(w)])
      })
    )

    scopedTest("linear without bias and without weight quantization is a product", () =>
      Effect.gen(function* () {
        const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 1, weightQuant: null, hasBias: false })
        expect([Object.keys(yield* State.parameters(layer)), layer.proxies]).toEqual([["weight"], []])
        yield* State.load(layer, { weight: yield* owned(() => tf.tensor2d([[0.125], [3]])) }, "strict")
        expect(yield* answer(layer, yield* owned(() => tf.tensor2d([[2, 5]])))).toEqual([15.25])
        const exit = yield* Effect.exit(Weighted.quantWeight(layer))
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
          _tag: "InvalidOptions",
          what: "QuantLinear",
          option: "weightQuant"
        })
      })
    )

    scopedTest("convolution: by hand, and with strides and padding", () =>
      Effect.gen(function* () {
        const options = { inChannels: 1, outChannels: 1, kernelSize: [2, 2], weight: { bitWidth: 4 } } as const
        const weight = yield* owned(() => tf.tensor4d([1.2, 2.4, -3.3, 7], [2, 2, 1, 1]))
        const bias = yield* owned(() => tf.tensor1d([0.5]))
        const x = yield* owned(() => tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]))
        const valid = yield* Convolution.quantConv2d(options)
        yield* State.load(valid, { weight, bias })
        // narrow 4 bits, scale 7 / 7: [1, 2, -3, 7]
        near(yield* answer(valid, x), [1 + 4 - 9 + 28 + 0.5])
        const same = yield* Convolution.quantConv2d({ ...options, padding: "same" })
        yield* State.load(same, { weight, bias })
        near(yield* answer(same, x), [24.5, 2 - 12 + 0.5, 3 + 8 + 0.5, 4.5])
        const padded = yield* Convolution.quantConv2d({ ...options, padding: 1, strides: [2, 2] })
        yield* State.load(padded, { weight, bias })
        near(yield* answer(padded, x), [7.5, -6 + 0.5, 6.5, 4.5])
      })
    )

    scopedTest("identity and ReLU: by hand, with the scale that each begins with", () =>
      Effect.gen(function* () {
        const x = yield* owned(() => tf.tensor1d([-1.5, -0.3, 0.4, 0.996]))
        const identity = yield* Activation.quantIdentity({ act: { bitWidth: 3 } })
        near(yield* answer(identity, x), [-1, -0.25, 0.5, 0.75]) // scale 1 / 4, -4..3
        const relu = yield* Activation.quantReLU({ act: { bitWidth: 2 } })
        near(yield* answer(relu, x), [0, 0, 1 / 3, 1]) // scale 1 / 3, 0..3
        const plain = yield* Activation.quantReLU({ actQuant: null })
        near(yield* answer(plain, x), [0, 0, 0.4, 0.996])
      })
    )

    scopedTest("collects, then learns, then evaluates with what it learned", () =>
      Effect.gen(function* () {
        const layer = yield* Activation.quantIdentity({ act: { collectStatsSteps: 2 } })
        const x = yield* owned(() => tf.tensor1d([1, -2]))
        const large = yield* owned(() => tf.tensor1d([4, -1]))
        const [counter, buffer] = ["scalingImpl.counter", "scalingImpl.buffer"]
        const parameter = Effect.map(State.parameters(layer), (state) => Object.values(state).map((t) => numbers(t)[0]))
        expect(memoryOf(layer)).toMatchObject({ [counter]: 0, [buffer]: 1 })
        expect(yield* scale(layer.actQuant, x)).toBe(1 / 128)

        // collecting: the scale of each call is its own largest magnitude; the first overwrites, the others are averaged
        near(yield* answer(layer, x, Layer.training), [1, -2])
        expect(memoryOf(layer)).toMatchObject({ [counter]: 1, [buffer]: 2 })
        near(yield* answer(layer, large, Layer.training), [127 / 32, -1])
        expect(memoryOf(layer)[counter]).toBe(2)
        expect(memoryOf(layer)[buffer]).toBeCloseTo(2 * 0.9 + 4 * 0.1, 6)
        expect(yield* parameter).toEqual([1])
        expect(yield* scale(layer.actQuant, x)).toBeCloseTo(2.2 / 128, 8)

        // learning: the average has become the parameter, whatever runs through
        near(yield* answer(layer, large, Layer.training), [(2.2 / 128) * 127, Math.round(-128 / 2.2) * (2.2 / 128)])
        expect((yield* parameter)[0]).toBeCloseTo(2.2, 6)
        expect(memoryOf(layer)[counter]).toBe(3)
        near(yield* answer(layer, x, Layer.training), [
          Math.round(128 / 2.2) * (2.2 / 128),
          Math.round(-256 / 2.2) * (2.2 / 128)
        ])
        expect([(yield* parameter)[0], memoryOf(layer)[counter]]).toEqual([Math.fround(2.2), 3])
        expect(yield* scale(layer.actQuant, large)).toBeCloseTo(2.2 / 128, 8)
      })
    )

    scopedTest("evaluation changes nothing, whatever the phase", () =>
      Effect.gen(function* () {
        const layer = yield* Activation.quantReLU({ act: { collectStatsSteps: 1 } })
        const x = yield* owned(() => tf.tensor1d([1, 5]))
        for (let phase = 0; phase < 4; phase++) {
          const before = [...Layer.read(layer).values()]
          yield* answer(layer, x)
          yield* answer(layer, x, Layer.evaluation)
          for (const [i, after] of [...Layer.read(layer).values()].entries()) expect(after).toBe(before[i])
          yield* answer(layer, x, Layer.training)
        }
        near(yield* answer(layer, x), [Math.round(51) / 51, 5])
      })
    )

    scopedTest("any number of calls keep as many tensors as the first", () =>
      Effect.gen(function* () {
        const model = Model.sequential({
          input: yield* Activation.quantIdentity({ act: { collectStatsSteps: 3 } }),
          conv: yield* Convolution.quantConv2d({
            inChannels: 1,
            outChannels: 2,
            kernelSize: [2, 2],
            outputQuant: Int8ActPerTensorFloat,
            biasQuant: Int8ActPerTensorFloat,
            returnQuantTensor: true
          }),
          relu: yield* Activation.quantReLU({ act: { collectStatsSteps: 2 } }),
          flatten: Model.flatten,
          linear: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 2 })
        })
        const x = yield* owned(() => tf.ones([1, 3, 3, 1]))
        const before = tf.memory().numTensors
        for (let i = 0; i < 8; i++) {
          yield* answer(model, x, i % 4 === 3 ? Layer.evaluation : Layer.training)
          expect(tf.memory().numTensors).toBe(before)
        }
        const exit = yield* Effect.exit(Layer.forward(model, yield* owned(() => tf.ones([1, 9, 3, 1])), Layer.training))
        expect([exit._tag, tf.memory().numTensors]).toEqual(["Failure", before + 1])
      })
    )

    scopedTest("a shared proxy counts the calls of both layers", () =>
      Effect.gen(function* () {
        const a = yield* Activation.quantIdentity({ act: { collectStatsSteps: 3 } })
        const b = yield* Activation.quantIdentity({ actQuant: a.actQuant ?? null })
        const x = yield* owned(() => tf.tensor1d([2]))
        yield* answer(Model.sequential({ a, b }), x, Layer.training)
        expect(memoryOf(a)["scalingImpl.counter"]).toBe(2)
        expect(memoryOf(b)["scalingImpl.counter"]).toBe(2)
      })
    )

    scopedTest("a quantizer with a delay lets the first calls pass", () =>
      Effect.gen(function* () {
        const layer = yield* Activation.quantIdentity({ act: { bitWidth: 2, quantDelaySteps: 2 } })
        const x = yield* owned(() => tf.tensor1d([0.3]))
        near([yield* answer(layer, x), yield* answer(layer, x), yield* answer(layer, x)].flat(), [0.3, 0.3, 0.5])
      })
    )

    scopedTest("answers a quant tensor on request: value, scale, width, sign", () =>
      Effect.gen(function* () {
        const layer = yield* Activation.quantReLU({ act: { bitWidth: 4 }, returnQuantTensor: true })
        const y = yield* Layer.forward(layer, yield* owned(() => tf.tensor1d([-1, 0.5, 0.99])))
        if (!QuantTensor.isQuantTensor(y)) throw new Error("not a quant tensor")
        expect(numbers(y.scale)[0]).toBeCloseTo(1 / 15, 6)
        expect([numbers(y.zeroPoint), numbers(y.bitWidth), y.signed, y.training]).toEqual([[0], [4], false, false])
        const steps = QuantTensor.int(y)
        expect(numbers(steps).slice(0, 1).concat(numbers(steps).slice(2))).toEqual([0, 15])
        expect(QuantTensor.isValid(y)).toBe(true)
        tf.dispose([steps, ...QuantTensor.tensorsOf(y)])
      })
    )

    scopedTest("a quantized weight needs a declared sign", () =>
      Effect.gen(function* () {
        const Binary = Injector.make("Binary", {
          tensorQuant: BinaryQuant.BinaryQuant,
          scalingImpl: Scaling.ConstScaling,
          scalingInit: 0.5
        })
        const unsigned = yield* Linear.quantLinear({
          inFeatures: 2,
          outFeatures: 1,
          weightQuant: Binary as Injector.Any
        })
        yield* State.load(unsigned, {
          weight: yield* owned(() => tf.tensor2d([[0.1], [-7]])),
          bias: yield* owned(() => tf.tensor1d([0]))
        })
        near(yield* answer(unsigned, yield* owned(() => tf.tensor2d([[1, 4]]))), [0.5 - 2])
        expect(yield* Effect.flip(Weighted.quantWeight(unsigned))).toMatchObject({
          _tag: "UnknownSign",
          injector: "Binary"
        })
        const signed = yield* Linear.quantLinear({
          inFeatures: 2,
          outFeatures: 1,
          weightQuant: pipe(Binary, Injector.let({ signed: true }))
        })
        const w = yield* Weighted.quantWeight(signed)
        expect(numbers(w.value).map(Math.abs)).toEqual([0.5, 0.5])
        expect([w.signed, QuantTensor.isValid(w)]).toEqual([true, true])
        tf.dispose([...QuantTensor.tensorsOf(w)])
      })
    )

    scopedTest("the same seed gives the same weights, within the bound of the fan-in", () =>
      Effect.gen(function* () {
        const weightOf = (seed: number) =>
          Effect.map(
            Effect.flatMap(Linear.quantLinear({ inFeatures: 16, outFeatures: 8, seed }), (layer) =>
              State.parameters(layer)
            ),
            ({ weight, bias }) => [...numbers(weight as tf.Tensor), ...numbers(bias as tf.Tensor)]
          )
        const [a, again, other] = [yield* weightOf(1), yield* weightOf(1), yield* weightOf(2)]
        expect(again).toEqual(a)
        expect(other).not.toEqual(a)
        expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(0.25)
        expect(Math.max(...a)).toBeGreaterThan(0.2)
      })
    )

    scopedTest("a layer that is applied to the states of another one says so", () =>
      Effect.gen(function* () {
        const [a, b] = [yield* Activation.quantIdentity(), yield* Activation.quantIdentity()]
        const x = yield* owned(() => tf.scalar(1))
        expect(() => a.apply(Layer.read(b), x, Layer.evaluation)).toThrow("read from another one")
      })
    )
  })

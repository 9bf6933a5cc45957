/** Proxies of all kinds end to end in layers: decoupled, dynamic, trunc, biases on an outer scale or their own, shared outputs. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Decoupled from "../../src/quant/Decoupled.ts"
import * as Dynamic from "../../src/quant/Dynamic.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as LeasedRef from "../../src/tensor/LeasedRef.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const waves = (phase: number, ...shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => Math.sin(i * 1.7 + phase)),
    [...shape]
  )
const numbers = (x: tf.Tensor): ReadonlyArray<number> => [...x.dataSync()]

/** The answer, which lives as long as the test. */
const answered = <In, Out extends Layer.Value>(layer: Layer.Layer<In, Out>, x: In, mode = Layer.evaluation) =>
  Effect.acquireRelease(Layer.forward(layer, x, mode), (y) => Effect.sync(() => tf.dispose([...Layer.tensorsIn(y)])))
const quantized = (y: Layer.Value): QuantTensor.QuantTensor => {
  if (!QuantTensor.isQuantTensor(y)) throw new Error("the answer is plain")
  return y
}

/** A quantized input with integers of its own. */
const input = (integers: ReadonlyArray<number>, shape: ReadonlyArray<number>, scale: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const value = tf.tidy(() => tf.mul(tf.tensor([...integers], [...shape], "float32"), scale))
      const x = QuantTensor.fromNumbers(value, { scale, zeroPoint: 0, bitWidth: 8, signed: true, training: false })
      value.dispose()
      return x
    }),
    (x) => Effect.sync(() => QuantTensor.dispose(x))
  )

const trained = (layer: Layer.Layer, x: Layer.Value, target: tf.Tensor, steps: number) =>
  Effect.gen(function* () {
    const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.05))
    const losses: Array<number> = []
    for (let i = 0; i < steps; i++)
      losses.push(yield* Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target)))
    return losses
  })

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("proxies in layers on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))

  describe("decoupled weights", () => {
    const { Int4WeightPerTensorFloatDecoupled, Int8WeightPerChannelFloatDecoupled } = Decoupled
    const { Int8WeightNormL2PerChannelFixedPoint } = Decoupled
    for (const [name, declaration] of Object.entries({
      Int4WeightPerTensorFloatDecoupled,
      Int8WeightPerChannelFloatDecoupled,
      Int8WeightNormL2PerChannelFixedPoint
    }))
      scopedTest(`${name}: integers of both scales in linear and convolutional layers, and training`, () =>
        Effect.gen(function* () {
          const weightQuant = declaration as typeof Int8WeightPerChannelFloatDecoupled
          const inputQuant = ScaledInt.Int8ActPerTensorFloat
          const slots = { weightQuant, inputQuant, returnQuantTensor: true, hasBias: false }
          const conv = yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 3, kernelSize: [2, 2], ...slots })
          const linear = yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 3, ...slots })
          const cases = [
            [conv, yield* owned(() => waves(0.2, 2, 3, 3, 2)), [2, 2, 2, 3]],
            [linear, yield* owned(() => waves(0.2, 4, 8)), [4, 3]]
          ] as const
          for (const [layer, x, shape] of cases) {
            const target = yield* owned(() => tf.ones([...shape]))
            const losses = yield* trained(layer, x, target, 8)
            expect(losses.at(-1)).toBeLessThan(losses[0] as number)
            const y = quantized(yield* answered(layer, x))
            expect(y.value.shape).toEqual(shape)
            expect(QuantTensor.isValid(y)).toBe(true)
          }
        })
      )
  })

  describe("dynamic inputs", () => {
    scopedTest("the scale is that of each call, without memory, in training as in evaluation", () =>
      Effect.gen(function* () {
        const inputQuant = Dynamic.Int8DynamicActPerTensorFloat
        const layer = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 2,
          inputQuant,
          returnQuantTensor: true,
          hasBias: false
        })
        const alone = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, inputQuant: null, hasBias: false })
        const small = yield* owned(() => waves(0.2, 3, 4))
        const scales = yield* Effect.forEach([1, 10, 1], (factor) =>
          Effect.gen(function* () {
            const x = yield* owned(() => tf.mul(small, factor))
            const [a, b] = [yield* answered(layer, x), yield* answered(layer, x, Layer.training)]
            expect(numbers(quantized(a).value)).toEqual(numbers(quantized(b).value))
            const float = numbers(QuantTensor.dequantized(yield* answered(alone, x)))
            for (const [i, y] of numbers(quantized(a).value).entries())
              expect(Math.abs(y - (float[i] as number))).toBeLessThan(0.02 * factor)
            return numbers(quantized(a).scale)[0] as number
          })
        )
        expect((scales[1] as number) / (scales[0] as number)).toBeCloseTo(10, 4)
        expect(scales[2]).toBe(scales[0])
      })
    )

    scopedTest("with a zero-point and per row, in convolutions and linear layers; a product of them is plain", () =>
      Effect.gen(function* () {
        const shifted = Dynamic.ShiftedUint8DynamicActPerTensorFloat
        const conv = yield* Convolution.quantConv2d({
          inChannels: 2,
          outChannels: 2,
          kernelSize: [2, 2],
          inputQuant: shifted,
          hasBias: false
        })
        const plain = yield* Convolution.quantConv2d({
          inChannels: 2,
          outChannels: 2,
          kernelSize: [2, 2],
          hasBias: false
        })
        const image = yield* owned(() => waves(0.3, 1, 3, 3, 2))
        const [y, float] = [yield* answered(conv, image), yield* answered(plain, image)]
        for (const [i, value] of numbers(QuantTensor.dequantized(y)).entries())
          expect(Math.abs(value - (numbers(QuantTensor.dequantized(float))[i] as number))).toBeLessThan(0.05)
        const refused = yield* Convolution.quantConv2d({
          ...{
            inChannels: 2,
            outChannels: 2,
            kernelSize: [2, 2] as const,
            inputQuant: shifted,
            returnQuantTensor: true
          }
        })
        expect(yield* Effect.flip(Layer.forward(refused, image))).toMatchObject({ _tag: "MissingInput" })
        const rows = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 2,
          inputQuant: Dynamic.Int8DynamicActPerRowFloat,
          hasBias: false
        })
        const exact = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 2, hasBias: false })
        // the second row is a hundred times larger: with a scale of its own the first one does not vanish
        const x = yield* owned(() => tf.tidy(() => tf.mul(waves(0.2, 2, 4), tf.tensor2d([[1], [100]]))))
        const [a, b] = [yield* answered(rows, x), yield* answered(exact, x)].map((one) =>
          numbers(QuantTensor.dequantized(one))
        )
        for (const i of [0, 1]) expect(Math.abs((a?.[i] as number) - (b?.[i] as number))).toBeLessThan(0.02)
      })
    )
  })

  describe("biases", () => {
    scopedTest(
      "on the scale of the products, of an input of its own layer or of the layer before, in a convolution",
      () =>
        Effect.gen(function* () {
          const options = { inChannels: 1, outChannels: 2, kernelSize: [1, 1] as const, biasQuant: ScaledInt.Int16Bias }
          const layer = yield* Convolution.quantConv2d({
            ...options,
            returnQuantTensor: true,
            weightQuant: ScaledInt.Int8WeightPerChannelFloat
          })
          const weight = yield* owned(() => tf.tensor4d([0.5, 127], [1, 1, 1, 2]))
          const bias = yield* owned(() => tf.tensor1d([0.0301, -2.4]))
          yield* State.load(layer, { weight, bias })
          const x = yield* input([2, -3, 0, 4], [1, 2, 2, 1], 0.25)
          const y = quantized(yield* answered(layer, x))
          // the scales of the products are 0.25 * 0.5 / 127 and 0.25
          const scales = [(0.25 * 0.5) / 127, 0.25]
          expect(
            numbers(y.scale)
              .map((s, i) => s / (scales[i] as number))
              .every((ratio) => Math.abs(ratio - 1) < 1e-6)
          ).toBe(true)
          const biases = [31, -10]
          const products = [2, -3, 0, 4].flatMap((q) => [
            q * 127 + (biases[0] as number),
            q * 127 + (biases[1] as number)
          ])
          const integers = yield* owned(() => QuantTensor.int(y))
          expect(numbers(integers)).toEqual(products)
        })
    )

    scopedTest("with a scale of its own needs no quantized input, is rounded to it, and trains", () =>
      Effect.gen(function* () {
        const biasQuant = ScaledInt.Int8BiasPerTensorFloatInternalScaling
        const layer = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 3, biasQuant, weightQuant: null })
        const weight = yield* owned(() => tf.zeros([2, 3]))
        const bias = yield* owned(() => tf.tensor1d([1.28, 0.504, -0.006]))
        yield* State.load(layer, { weight, bias })
        const x = yield* owned(() => tf.ones([1, 2]))
        const y = numbers(QuantTensor.dequantized(yield* answered(layer, x)))
        expect(y.map((value) => Math.round(value * 1e5) / 1e5)).toEqual([1.27, 0.5, -0.01])
        const target = yield* owned(() => tf.zeros([1, 3]))
        const losses = yield* trained(layer, x, target, 5)
        expect(losses.at(-1)).toBeLessThan(losses[0] as number)
      })
    )
  })

  describe("truncation", () => {
    scopedTest("cuts the accumulators of a layer end to end, on the grid that the bits leave", () =>
      Effect.gen(function* () {
        const linear = yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 2,
          returnQuantTensor: true,
          hasBias: false
        })
        const cut = yield* Truncated.quantAccumulator({ truncQuant: ScaledInt.TruncTo8bit })
        const model = Model.sequential({ linear, cut })
        const x = yield* input([100, -90, 80, 127], [1, 4], 0.5)
        const [whole, few] = [quantized(yield* answered(linear, x)), quantized(yield* answered(model, x))]
        expect([few.bitWidth, few.zeroPoint].map(numbers)).toEqual([[8], [0]])
        expect(QuantTensor.isValid(few)).toBe(true)
        const step = numbers(few.scale)[0] as number
        const ratio = Math.log2(step / (numbers(whole.scale)[0] as number))
        expect(Math.abs(ratio - Math.round(ratio))).toBeLessThan(1e-5)
        expect(ratio).toBeGreaterThan(1)
        for (const [i, value] of numbers(few.value).entries()) {
          const off = (numbers(whole.value)[i] as number) - value
          expect(off).toBeGreaterThanOrEqual(-1e-6)
          expect(off).toBeLessThan(step)
        }
        const plain = yield* owned(() => tf.ones([1, 4]))
        expect(yield* Effect.flip(Layer.forward(Model.sequential({ cut }), plain))).toMatchObject({
          _tag: "MissingInput",
          layer: "cut"
        })
      })
    )
  })

  describe("outputs on one grid", () => {
    const two = Effect.gen(function* () {
      const options = { returnQuantTensor: true }
      const left = yield* Activation.quantIdentity(options)
      const right = yield* Activation.quantReLU(options)
      const add = yield* Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null, returnQuantTensor: true })
      return { left, right, add, x: yield* owned(() => waves(0.3, 4, 4)) }
    })

    scopedTest("a sum of two scales fails with both origins; alignScales puts one onto the grid of the other", () =>
      Effect.gen(function* () {
        const { left, right, add, x } = yield* two
        const apart = Model.functional({ left, right, add }, (layer, x: Layer.Value) =>
          layer.add([layer.left(x), layer.right(x)])
        )
        const align = Model.alignScales
        const together = Model.functional({ left, right, add, align }, (layer, x: Layer.Value) =>
          layer.add(layer.align([layer.left(x), layer.right(x)]))
        )
        for (const mode of [Layer.training, Layer.evaluation]) {
          const failure = yield* Effect.flip(Layer.forward(apart, x, mode))
          expect(failure).toMatchObject({
            _tag: "ScaleMismatch",
            sides: [{ origin: "Int8ActPerTensorFloat" }, { origin: "Uint8ActPerTensorFloat" }]
          })
          const y = quantized(yield* answered(together, x, mode))
          expect(QuantTensor.isValid(y)).toBe(true)
          const a = quantized(yield* answered(left, x))
          if (!mode.training) expect(numbers(y.scale)).toEqual(numbers(a.scale))
          const step = numbers(y.scale)[0] as number
          for (const [i, value] of numbers(y.value).entries()) {
            const v = numbers(x)[i] as number
            expect(Math.abs(value - v - Math.max(v, 0))).toBeLessThan(2 * step)
          }
        }
        const float = Layer.without(Layer.evaluation)
        const sum = numbers(QuantTensor.dequantized(yield* answered(together, x, float)))
        expect(sum).toEqual(numbers(x).map((v) => Math.fround(v + Math.max(v, 0))))
      })
    )

    scopedTest("layers that are made for each other share the quantizer of their outputs", () =>
      Effect.gen(function* () {
        const size = { inFeatures: 4, outFeatures: 4, returnQuantTensor: true }
        const a = yield* Linear.quantLinear({ ...size, outputQuant: ScaledInt.Int8ActPerTensorFloat, seed: 1 })
        const outputQuant = a.outputQuant
        if (outputQuant === undefined) throw new Error("there is no output quantizer")
        const b = yield* Linear.quantLinear({ ...size, outputQuant, seed: 2 })
        const add = yield* Elementwise.quantEltwiseAdd({ inputQuant: null, outputQuant: null, returnQuantTensor: true })
        const model = Model.functional({ a, b, add }, (layer, x: Layer.Value) => layer.add([layer.a(x), layer.b(x)]))
        const x = yield* owned(() => waves(0.3, 4, 4))
        expect(a.outputQuant?.cell).toBe(b.outputQuant?.cell)
        const y = quantized(yield* answered(model, x))
        expect(QuantTensor.isValid(y)).toBe(true)
        expect(LeasedRef.current(outputQuant.cell).slot).toBe("output")
      })
    )

    scopedTest("a plain first value has no grid: a typed failure", () =>
      Effect.gen(function* () {
        const x = yield* owned(() => waves(0.3, 4, 4))
        const model = Model.functional({ align: Model.alignScales }, (layer, x: Layer.Value) => layer.align([x, x])[1])
        expect(yield* Effect.flip(Layer.forward(model, x))).toMatchObject({
          _tag: "FormatMismatch",
          layer: "align",
          property: "kind"
        })
      })
    )
  })

  scopedTest("an accumulator of so many bits is respected by a declaration that says how many", () =>
    Effect.gen(function* () {
      const weightQuant = Injector.let(Decoupled.Int8AccumulatorAwareWeightQuant, { accumulatorBitWidth: 10 })
      const layer = yield* Linear.quantLinear({
        inFeatures: 16,
        outFeatures: 2,
        weightQuant,
        hasBias: false,
        returnQuantTensor: true
      })
      const x = yield* input(
        Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 127 : -128)),
        [1, 16],
        1
      )
      const y = quantized(yield* answered(layer, x))
      const integers = yield* owned(() => QuantTensor.int(y))
      for (const q of numbers(integers)) expect(Math.abs(q)).toBeLessThan(2 ** 9)
    })
  )
})

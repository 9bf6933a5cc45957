/** Accumulator-aware rounding: no input makes an accumulator overflow, and the outputs are still near those of the float network. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope, Stream } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as AxeMath from "../../src/ptq/AxeMath.ts"
import * as Calibrate from "../../src/ptq/Calibrate.ts"
import * as Gpfq from "../../src/ptq/Gpfq.ts"
import * as GpfqMath from "../../src/ptq/GpfqMath.ts"
import * as Gptq from "../../src/ptq/Gptq.ts"
import * as GptqMath from "../../src/ptq/GptqMath.ts"
import type * as Layerwise from "../../src/ptq/Layerwise.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import type * as Ptq from "../../src/ptq/Ptq.ts"
import * as Qronos from "../../src/ptq/Qronos.ts"
import * as QronosMath from "../../src/ptq/QronosMath.ts"
import * as Decoupled from "../../src/quant/Decoupled.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"

const drawn = (rows: number, columns: number, seed: number): Matrix.Matrix =>
  Matrix.make(rows, columns, Random.normal(Random.make(seed), rows * columns, 0.1, 1))

const step = Math.fround(0.25)
const grid = (round: (x: number) => number) => (_: number, values: Float64Array) =>
  values.map((value) => Math.fround(Math.min(7, Math.max(-7, round(value / step))) * step))

const covarianceOf = (columns: number, seed: number): Matrix.Matrix => {
  const x = Matrix.product(drawn(2 * columns, columns, seed), drawn(columns, columns, seed + 1))
  const sums = Matrix.product(Matrix.transpose(x), x)
  return { ...sums, data: sums.data.map((value) => value / x.rows) }
}

type Algorithm = (rounding: GptqMath.Rounding, h: Matrix.Matrix) => Matrix.Matrix
const algorithms: Readonly<Record<string, Algorithm>> = {
  GPTQ: (rounding, h) => Result.getOrThrow(GptqMath.gptq(rounding, h, { actOrder: true })),
  GPFQ: (rounding, h) => GpfqMath.gpfq(rounding, { quantized: h, mixed: h }, { keep: "rounded" }),
  Qronos: (rounding, h) =>
    Result.getOrThrow(QronosMath.qronos(rounding, { quantized: h, mixed: h }, { keep: "rounded" }))
}

/** The largest magnitude of a sum of products of integers with any inputs, in any order, tile by tile, with a bias. */
const largestSum = (integers: ReadonlyArray<number>, { low, high }: AxeMath.Inputs, tile: number, bias = 0): number => {
  const tiles = Array.from({ length: Math.ceil(integers.length / tile) }, (_, t) =>
    integers.slice(t * tile, (t + 1) * tile)
  )
  const sums = tiles.flatMap((part) => [
    part.reduce((sum, q) => sum + Math.max(q * low, q * high), Math.max(0, bias)),
    -part.reduce((sum, q) => sum + Math.min(q * low, q * high), Math.min(0, bias))
  ])
  return Math.max(...sums)
}

const inputs: ReadonlyArray<AxeMath.Inputs> = [
  { low: 0, high: 255 },
  { low: -128, high: 127 },
  { low: -3, high: 12 },
  { low: 0, high: 1 },
  { low: -7, high: 0 }
]

describe.each(Object.entries(algorithms))("%s", (_, algorithm) => {
  it("keeps every sum within the accumulator, in tiles or whole, however the quantizer rounds", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...inputs),
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom(undefined, 3, 8, 24),
        fc.constantFrom<(x: number) => number>(Math.round, Math.ceil, Math.floor),
        fc.integer({ min: 1, max: 1000 }),
        (inputs, more, tile, round, seed) => {
          const weight = drawn(5, 24, seed)
          const biases = Array.from({ length: 5 }, (_, i) => (tile === undefined ? 20 * i - 40 : 0))
          const about = { inputs, scales: new Float64Array(5).fill(step), biases }
          const accumulator = { bitWidth: AxeMath.leastBits(about) + more, ...(tile && { tile }) }
          const rounding = AxeMath.aware({ weight, quantize: grid(round) }, accumulator, about)
          const rounded = algorithm(rounding, covarianceOf(24, seed + 1))
          for (let i = 0; i < 5; i++) {
            const integers = Array.from(Matrix.row(rounded, i), (value) => value / step)
            for (const q of integers) expect(Math.abs(q - Math.round(q))).toBeLessThan(1e-6)
            const sum = largestSum(integers.map(Math.round), inputs, tile ?? 24, biases[i] as number)
            expect(sum).toBeLessThanOrEqual(2 ** (accumulator.bitWidth - 1) - 1)
          }
        }
      ),
      { numRuns: 60 }
    ))

  it("makes up for what is lost by the columns to come", () => {
    const weight = { ...drawn(64, 24, 3), data: drawn(64, 24, 3).data.map((value) => value - 0.1) }
    const [h, one] = [covarianceOf(24, 5), Matrix.damped(Matrix.zeros(24, 24), 1)]
    const about = { inputs: { low: 0, high: 15 }, scales: new Float64Array(64).fill(step), biases: [] }
    const lossWith = (hessian: Matrix.Matrix): number => {
      const rounded = algorithm(AxeMath.aware({ weight, quantize: grid(Math.round) }, { bitWidth: 11 }, about), hessian)
      const e = { ...weight, data: weight.data.map((value, i) => value - (rounded.data[i] as number)) }
      return Matrix.product(e, h).data.reduce((sum, value, i) => sum + value * (e.data[i] as number), 0)
    }
    expect(lossWith(h)).toBeLessThan(0.8 * lossWith(one))
  })

  it("is the algorithm without it, where the accumulator is wide", () => {
    const [weight, h] = [drawn(5, 24, 3), covarianceOf(24, 5)]
    const about = { inputs: { low: -128, high: 127 }, scales: new Float64Array(5).fill(step), biases: [] }
    const nearest = { weight, quantize: grid(Math.round) }
    expect(algorithm(AxeMath.aware(nearest, { bitWidth: 32 }, about), h)).toEqual(algorithm(nearest, h))
  })
})

describe("AxeMath", () => {
  it("the bits that are needed at least, and those for the sums of tiles", () => {
    expect(AxeMath.leastBits({ inputs: { low: 0, high: 255 }, biases: [] })).toBe(9)
    expect(AxeMath.leastBits({ inputs: { low: -128, high: 127 }, biases: [3, -4] })).toBe(9)
    expect(AxeMath.leastBits({ inputs: { low: 0, high: 1 }, biases: [] })).toBe(2)
    expect(AxeMath.outerBits({ bitWidth: 16, tile: 64 }, 1024)).toBe(20)
    expect(AxeMath.outerBits({ bitWidth: 16 }, 1024)).toBe(16)
  })
})

// ---- over models --------------------------------------------------------------------------------------------

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

const weightQuant = ScaledInt.Int8WeightPerChannelFloat
const weight = { bitWidth: 6, scalingImplType: "parameterFromStats" } as const
const asQuantTensor = { returnQuantTensor: true } as const

const network = Effect.gen(function* () {
  const biasQuant = ScaledInt.Int32Bias
  const input = yield* Activation.quantIdentity(asQuantTensor)
  const conv = yield* Convolution.quantConv2d({
    inChannels: 2,
    outChannels: 4,
    kernelSize: [3, 3],
    seed: 1,
    weightQuant,
    weight,
    biasQuant
  })
  const relu = yield* Activation.quantReLU(asQuantTensor)
  const fc = yield* Linear.quantLinear({ ...linear, returnQuantTensor: true })
  return yield* Calibrate.calibrate(batches)(Model.sequential({ input, conv, relu, flat: Model.flatten, fc }))
})
const batch = (seed: number) => (): tf.Tensor =>
  tf.tensor(Random.normal(Random.make(seed), 16 * 6 * 6 * 2, 0, 1), [16, 6, 6, 2])
const batches = Stream.make(batch(1), batch(2))

const stateOf = (model: Layer.Stateful) => Effect.map(State.extract(model), (state) => JSON.stringify(state))

const rows = Stream.make(() => tf.tensor(Random.normal(Random.make(3), 128 * 64, 0, 1), [128, 64]))
const linear = {
  inFeatures: 64,
  outFeatures: 5,
  seed: 2,
  weightQuant,
  weight,
  biasQuant: ScaledInt.Int32Bias
} as const
const wideSteps: Readonly<Record<string, (options: Layerwise.Options) => Ptq.Step<Layerwise.StepError>>> = {
  Gptq: (options) => Gptq.gptq(rows, options),
  Gpfq: (options) => Gpfq.gpfq(rows, options),
  Qronos: (options) => Qronos.qronos(rows, options)
}

const steps: ReadonlyArray<readonly [string, (options: Layerwise.Options) => Ptq.Step<Layerwise.StepError>]> = [
  ["Gptq", (options) => Gptq.gptq(batches, options)],
  ["Gpfq", (options) => Gpfq.gpfq(batches, options)],
  ["Qronos", (options) => Qronos.qronos(batches, options)]
]

/** The inputs that make the sum of an output of a linear layer largest, or smallest, as integers. */
const worst = (layer: Weighted.Weighted, output: number, highest: boolean, { low, high }: AxeMath.Inputs) =>
  Effect.map(Weighted.quantWeight(layer), (quantized) => {
    const integers = tf.tidy(() => QuantTensor.int(quantized).dataSync())
    const outputs = quantized.value.shape.at(-1) as number
    QuantTensor.dispose(quantized)
    return Int32Array.from({ length: integers.length / outputs }, (_, i) =>
      (integers[i * outputs + output] as number) > 0 === highest ? high : low
    )
  })

describe.each(steps)("%s over a model", (name, make) => {
  it("keeps the integer executor's sums within the accumulators, at the inputs that ask most of them", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const bits = 14
        const shape = [1, 6, 6, 2]
        const before = yield* stateOf(model)
        const free = yield* make({})(model)
        const refused = yield* Effect.flip(IntegerNetwork.of(free, shape, { accumulatorBits: bits }))
        expect(refused).toMatchObject({ _tag: "AccumulatorOverflow" })
        const aware = yield* make({ accumulator: { bitWidth: bits } })(model)
        expect(yield* stateOf(model)).toBe(before)
        const whole = yield* IntegerNetwork.of(aware, shape, { accumulatorBits: bits })
        for (const { bits: needed } of whole.accumulators) expect(needed).toBeLessThanOrEqual(bits)
      })
    ))

  it("and executes the worst inputs without overflow", () =>
    run(
      Effect.gen(function* () {
        const bits = 13
        const model = yield* Calibrate.calibrate(rows)(
          Model.sequential({
            input: yield* Activation.quantIdentity(asQuantTensor),
            fc: yield* Linear.quantLinear({ ...linear, returnQuantTensor: true })
          })
        )
        const options = { accumulator: { bitWidth: bits } }
        const aware = yield* wideSteps[name]!(options)(model)
        const network = yield* IntegerNetwork.of(aware, [1, 64], { accumulatorBits: bits })
        for (let output = 0; output < 5; output++)
          for (const highest of [true, false]) {
            const fc = aware.layers.fc as Weighted.Weighted
            const data = yield* worst(fc, output, highest, { low: -128, high: 127 })
            const sums = IntegerNetwork.execute(network, { shape: [1, 64], data })
            const sum = sums.get(network.output.name)?.data[output] as number
            expect(Math.abs(sum)).toBeLessThanOrEqual(2 ** (bits - 1) - 1)
            // the budget is used
            expect(Math.abs(sum)).toBeGreaterThan(2 ** (bits - 2))
          }
      })
    ))

  it("keeps tiles to a narrower accumulator, and says what cannot be", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const tiled = yield* make({ accumulator: { bitWidth: 12, tile: 16 } })(model)
        const quantized = yield* Weighted.quantWeight(tiled.layers.fc as Weighted.Weighted)
        const integers = Array.from(tf.tidy(() => QuantTensor.int(quantized).dataSync()))
        QuantTensor.dispose(quantized)
        for (let output = 0; output < 5; output++) {
          const own = integers.filter((_, i) => i % 5 === output)
          expect(largestSum(own, { low: 0, high: 255 }, 16)).toBeLessThanOrEqual(2 ** 11 - 1)
        }
        const unfit = (of: Layer.Layer, accumulator: AxeMath.Accumulator) =>
          Effect.map(Effect.flip(make({ accumulator })(of)), (error) => {
            expect(error).toMatchObject({ _tag: "AccumulatorUnfit", step: name })
            return error.message
          })
        expect(yield* unfit(model, { bitWidth: 6 })).toMatch(/conv cannot .* inputs of -128 to 127 it needs \d+ bits/)
        expect(yield* unfit(model, { bitWidth: 1 })).toContain("whole number from 2 to 48")
        expect(yield* unfit(model, { bitWidth: 16, tile: 0 })).toContain("its tile must be")
        const plain = yield* Linear.quantLinear({ inFeatures: 2, outFeatures: 2, weightQuant, weight })
        expect(yield* unfit(plain, { bitWidth: 16 })).toContain("its inputs are no integers; give it inputQuant")
      })
    ))
})

describe("a quantizer that rounds with a scale of its own", () => {
  it("is refused where that follows the weight: the integers would not be those that were counted", () =>
    run(
      Effect.gen(function* () {
        const options = { inFeatures: 2, outFeatures: 2, hasBias: false, inputQuant: ScaledInt.Int8ActPerTensorFloat }
        const layers = [
          yield* Linear.quantLinear({ ...options, weightQuant: Decoupled.Int8WeightNormL2PerChannelFixedPoint }),
          yield* Linear.quantLinear({ ...options, weightQuant: Decoupled.Int8WeightPerChannelFloatDecoupled })
        ]
        for (const layer of layers) {
          const model = yield* Calibrate.calibrate(batches)(layer)
          const failure = yield* Effect.flip(Gptq.gptq(batches, { accumulator: { bitWidth: 24 } })(model))
          expect(failure).toMatchObject({ _tag: "ScaleNotFixed", quantizer: layer.weightQuant?.injector.name })
        }
      })
    ))
})

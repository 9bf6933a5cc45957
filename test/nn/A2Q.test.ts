/** Accumulator-aware weights in layers: no input makes an accumulator overflow. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Accumulator from "../../src/core/Accumulator.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as State from "../../src/nn/State.ts"
import * as Weighted from "../../src/nn/Weighted.ts"
import * as Range from "../../src/op/Range.ts"
import * as Decoupled from "../../src/quant/Decoupled.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Loss from "../../src/train/Loss.ts"
import * as Trainer from "../../src/train/Trainer.ts"

const { Int8AccumulatorAwareWeightQuant: A2Q, Int8AccumulatorAwareZeroCenterWeightQuant: A2QPlus } = Decoupled

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })
const owned = <T extends tf.TensorContainer>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (made) => Effect.sync(() => tf.dispose(made)))

interface Format {
  readonly bitWidth: number
  readonly signed: boolean
}

/** A value of integers with the scale 1. */
const inputOf = (integers: ReadonlyArray<number>, { bitWidth, signed }: Format) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const value = tf.tensor2d([...integers], [1, integers.length])
      const x = QuantTensor.fromNumbers(value, { scale: 1, zeroPoint: 0, bitWidth, signed, training: false })
      value.dispose()
      return x
    }),
    (x) => Effect.sync(() => QuantTensor.dispose(x))
  )

/** How the weights of two channels lie: the sums of the last three have nothing to be rounded away. */
const weights: Readonly<Record<string, (i: number) => number>> = {
  random: (i) => Math.sin(i * 12.9898 + 1) * 0.5,
  "of one sign": (i) => -0.37 - 1e-3 * Math.sin(i),
  constant: () => 0.37,
  "constant and negative": () => -0.37,
  "of two values": (i) => ((i >> 1) % 2 === 0 ? 0.3 : -0.3)
}

/** The integers of a layer's weight, whose learned norm asks for far more than the accumulator bears. */
const greedy = (quantizer: Injector.Any, size: number, weightOf: (i: number) => number, P: number, format: Format) =>
  Effect.gen(function* () {
    const weightQuant = Injector.let(quantizer, { accumulatorBitWidth: P }) as unknown as typeof A2Q
    const layer = yield* Linear.quantLinear({ inFeatures: size, outFeatures: 2, weightQuant, hasBias: false })
    const weight = yield* owned(() =>
      tf.tensor2d(
        Float32Array.from({ length: 2 * size }, (_, i) => weightOf(i)),
        [size, 2]
      )
    )
    yield* State.load(layer, { weight })
    const large = yield* owned(() => tf.fill([1, 2], 60))
    if (quantizer !== ScaledInt.Int8WeightPerTensorFloat)
      yield* State.load(layer, { "weightQuant.preScalingImpl.value": large }, { reinitialize: false })
    const input = yield* inputOf([0], format)
    return yield* Effect.acquireRelease(Weighted.quantWeight(layer, Layer.evaluation, input), (quantized) =>
      Effect.sync(() => QuantTensor.dispose(quantized))
    )
  })

const formats: ReadonlyArray<Format> = [
  { bitWidth: 8, signed: false },
  { bitWidth: 8, signed: true },
  { bitWidth: 4, signed: true },
  { bitWidth: 1, signed: false }
]

/** The sum of products with the inputs that make it largest (or smallest): each the end of its range that its weight asks for. */
const extremeSum = (weight: ReadonlyArray<number>, { bitWidth, signed }: Format, highest: boolean): number => {
  const { low, high } = QuantTensor.boundsOf(bitWidth, signed)
  return weight.reduce((sum, q) => sum + q * (q > 0 === highest ? high : low), 0)
}

describe.each([
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)("accumulator-aware weights on %s", (_, backend) => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, backend, { local: true }))))

  describe.each([
    ["A2Q", A2Q],
    ["A2Q+", A2QPlus]
  ] as const)("%s: no sum of products overflows, whatever the inputs", (_, quantizer) => {
    for (const [kind, weightOf] of Object.entries(weights))
      scopedTest(`weights ${kind}`, () =>
        Effect.forEach(
          [8, 16, 24].flatMap((P) => formats.flatMap((format) => [16, 1000, 1024].map((n) => ({ P, format, n })))),
          ({ P, format, n }) =>
            Effect.scoped(
              Effect.gen(function* () {
                const quantized = yield* greedy(quantizer, n, weightOf, P, format)
                const integers = Array.from(
                  yield* owned(() => QuantTensor.int(quantized)).pipe(Effect.map((x) => x.dataSync()))
                )
                const sums = [0, 1].map((channel) => {
                  const weight = integers.filter((_, i) => i % 2 === channel)
                  return { low: extremeSum(weight, format, false), high: extremeSum(weight, format, true) }
                })
                const { low, high } = QuantTensor.boundsOf(P, true)
                for (const sum of sums) {
                  expect(sum.high).toBeLessThanOrEqual(high)
                  expect(sum.low).toBeGreaterThanOrEqual(low)
                }
                expect(Accumulator.extremes(quantized, 1, format)).toEqual(sums)
                expect(Accumulator.fits(quantized, 1, format, P)).toBe(true)
              })
            )
        )
      )

    scopedTest("and the accumulator is used: random weights come within an eighth of its range", () =>
      Effect.gen(function* () {
        const format = { bitWidth: 4, signed: false }
        const quantized = yield* greedy(quantizer, 64, weights.random as (i: number) => number, 14, format)
        const [channel] = Accumulator.extremes(quantized, 1, format)
        const { low = 0, high = 0 } = channel ?? {}
        const range = 2 ** 13
        expect(Math.max(high, -low)).toBeGreaterThan(range / 8)
      })
    )
  })

  scopedTest("would notice: ordinary 8-bit weights overflow 12 bits", () =>
    Effect.gen(function* () {
      const format = { bitWidth: 8, signed: false }
      const weightOf = weights.random as (i: number) => number
      const quantized = yield* greedy(ScaledInt.Int8WeightPerTensorFloat, 64, weightOf, 12, format)
      expect(Accumulator.fits(quantized, 1, format, 12)).toBe(false)
      expect(Accumulator.fits(quantized, 1, format, 32)).toBe(true)
    })
  )

  scopedTest("norms and extreme sums are those of a small weight by hand, channels on any axis", () =>
    Effect.gen(function* () {
      const format = { scale: 0.5, zeroPoint: 0, bitWidth: 8, signed: true, training: false }
      // channels [3, -1, 2] and [-4, 0, -2]
      const rows = yield* owned(() => tf.tensor2d([1.5, -0.5, 1, -2, 0, -1], [2, 3]))
      const columns = yield* owned(() => tf.transpose(rows))
      for (const [value, axis] of [
        [rows, 0],
        [columns, 1]
      ] as const) {
        const weight = yield* Effect.acquireRelease(
          Effect.sync(() => QuantTensor.fromNumbers(value, format)),
          (x) => Effect.sync(() => QuantTensor.dispose(x))
        )
        const norms = yield* owned(() => ({ ...Accumulator.channelNorms(weight, axis) }))
        expect([norms.l1, norms.positive, norms.negative].map((x) => [...(x as tf.Tensor).dataSync()])).toEqual([
          [6, 6],
          [5, 0],
          [1, 6]
        ])
        expect(Accumulator.extremes(weight, axis, { bitWidth: 2, signed: true })).toEqual([
          { low: -11, high: 7 },
          { low: -6, high: 12 }
        ])
      }
    })
  )

  scopedTest("the bound of a centred weight is the larger one", () =>
    Effect.gen(function* () {
      const [plain, centred] = yield* owned(() =>
        tf.tidy(() => {
          const [p, n] = [tf.scalar(10), tf.scalar(4)]
          return [Range.l1Bound(p, n, false), Range.centredL1Bound(p, n)] as [tf.Tensor, tf.Tensor]
        })
      )
      expect([plain.dataSync()[0], centred.dataSync()[0]]).toEqual([511 / 16, Math.fround(1022 / 15)])
    })
  )

  scopedTest(
    "a plain input is a typed failure that names the layer and its quantizer, in evaluation and in training",
    () =>
      Effect.gen(function* () {
        const conv = yield* Convolution.quantConv2d({
          inChannels: 1,
          outChannels: 1,
          kernelSize: [1, 1],
          weightQuant: A2Q
        })
        const model = Model.sequential({ conv })
        const x = yield* owned(() => tf.ones([1, 2, 2, 1]))
        for (const mode of [Layer.evaluation, Layer.training]) {
          const failure = yield* Effect.flip(Layer.forward(model, x, mode))
          expect(failure).toMatchObject({
            _tag: "MissingInput",
            layer: "conv.weightQuant",
            missing: ["bitWidth", "signed"]
          })
          expect(failure.message).toMatch(/^conv\.weightQuant: Int8AccumulatorAwareWeightQuant needs bitWidth, signed/)
        }
        expect(yield* Effect.flip(Weighted.quantWeight(conv))).toMatchObject({ _tag: "MissingInput" })
      })
  )

  scopedTest("the guarantee outlives training, and training learns", () =>
    Effect.gen(function* () {
      const P = 12
      const layer = yield* Linear.quantLinear({
        inFeatures: 8,
        outFeatures: 2,
        weightQuant: Injector.let(A2QPlus, { accumulatorBitWidth: P }),
        inputQuant: ScaledInt.Uint8ActPerTensorFloat,
        seed: 3
      })
      const x = yield* owned(() =>
        tf.tensor2d(
          Float32Array.from({ length: 64 }, (_, i) => Math.abs(Math.sin(i + 1))),
          [8, 8]
        )
      )
      const target = yield* owned(() =>
        tf.tensor2d(
          Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)),
          [8, 2]
        )
      )
      const trainer = yield* Trainer.make(layer, Optimizer.sgd(0.1))
      const format = { bitWidth: 8, signed: false }
      const input = yield* inputOf([0], format)
      const losses: Array<number> = []
      for (let i = 0; i < 20; i++) {
        losses.push(yield* Trainer.step(trainer, x, (y) => Loss.meanSquaredError(y, target)))
        const quantized = yield* Weighted.quantWeight(layer, Layer.evaluation, input)
        expect(Accumulator.fits(quantized, 1, format, P)).toBe(true)
        QuantTensor.dispose(quantized)
      }
      expect(losses.at(-1) as number).toBeLessThan(losses[0] as number)
    })
  )
})

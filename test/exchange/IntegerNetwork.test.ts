import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { describe, expect, it } from "vitest"
import { shifted } from "../../src/exchange/IntegerExecutor.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Convolution from "../../src/nn/Convolution.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Pooling from "../../src/nn/Pooling.ts"
import * as State from "../../src/nn/State.ts"
import * as TensorNorm from "../../src/nn/TensorNorm.ts"
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import * as Float from "../../src/quant/FloatOcp.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as ShiftedScaledInt from "../../src/quant/ShiftedScaledInt.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

/** How many outputs differ, in whole steps, of those whose roundings all lie farther than `near` from a tie. */
const compared = (model: Layer.Layer, shape: ReadonlyArray<number>, count: number, options?: IntegerNetwork.Options) =>
  Effect.gen(function* () {
    const network = yield* IntegerNetwork.of(model, shape, options)
    const x = yield* owned(() => Networks.drawn(77, [count, ...shape.slice(1)]))
    const values = x.dataSync() as Float32Array
    const y = (yield* ownedValue(Layer.forward(model, x))) as tf.Tensor
    const answer = yield* IntegerNetwork.run(network, values)
    expect(answer.shape).toEqual(y.shape)
    const margins = IntegerNetwork.margins(network, IntegerNetwork.quantized(network, values, x.shape))
    const size = answer.data.length / count
    const floats = y.dataSync()
    const differing = [...answer.data].flatMap((q, i) => {
      const float = IntegerNetwork.stepOf(answer.meaning, floats[i] as number, i)
      return Math.abs(float - q) < 0.1 ? [] : [margins[Math.floor(i / size)] as number]
    })
    return { network, differing, count: answer.data.length }
  })

/** Float32 sums of this size are exact to far less of a step. */
const near = 1e-3

onBackends("a network of integers", () => {
  for (const bits of [8, 4]) {
    scoped(`is what an MLP of ${bits} bits computes in floats, but for ties`, () =>
      Effect.gen(function* () {
        const model = yield* Networks.mlp(bits)
        const { differing, network, count } = yield* compared(model, Networks.mlpShape, 200)
        expect(count).toBe(1000)
        expect(differing.filter((margin) => margin > near)).toEqual([])
        expect(differing.length).toBeLessThan(10)
        expect(network.accumulators.map(({ layer }) => layer)).toEqual(["fc1", "fc2", "fc3"])
      })
    )

    scoped(`is what a CNN of ${bits} bits computes in floats, but for ties`, () =>
      Effect.gen(function* () {
        const model = yield* Networks.cnn(bits)
        const { differing } = yield* compared(model, Networks.cnnShape, 40)
        expect(differing.filter((margin) => margin > near)).toEqual([])
        expect(differing.length).toBeLessThan(10)
      })
    )
  }

  scoped("notices a wrong weight", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(4)
      const network = yield* IntegerNetwork.of(model, Networks.mlpShape)
      const broken = {
        ...network,
        steps: network.steps.map((step) =>
          step.operation.op === "linear"
            ? {
                ...step,
                operation: {
                  ...step.operation,
                  weight: { ...step.operation.weight, data: step.operation.weight.data.map((q) => q + 1) }
                }
              }
            : step
        )
      }
      const x = new Float32Array(20).fill(0.5)
      const [right, wrong] = [yield* IntegerNetwork.run(network, x), yield* IntegerNetwork.run(broken, x)]
      expect(right.data).not.toEqual(wrong.data)
    })
  )

  scoped("shifts where scales are powers of two, and loses zero-points", () =>
    Effect.gen(function* () {
      const collect = Injector.let({ collectStatsSteps: 2 })
      const fixed = Model.sequential({
        input: yield* Activation.quantIdentity({
          actQuant: pipe(FixedPoint.Int8ActPerTensorFixedPoint, collect),
          returnQuantTensor: true
        }),
        fc: yield* Linear.quantLinear({
          inFeatures: 20,
          outFeatures: 5,
          weightQuant: FixedPoint.Int8WeightPerTensorFixedPoint,
          biasQuant: ScaledInt.Int32Bias
        }),
        act: yield* Activation.quantReLU({ actQuant: pipe(FixedPoint.Uint8ActPerTensorFixedPoint, collect) })
      })
      yield* Networks.train(fixed, Networks.mlpShape)
      const { network, differing } = yield* compared(fixed, Networks.mlpShape, 100)
      // every sum is exact in float32 here, and so are the ties
      expect(differing).toEqual([])
      const last = network.steps.at(-1)?.operation
      expect(last?.op === "rescale" && last.shift !== undefined && (last.shift[0] as number) > 0).toBe(true)

      const shiftedActs = Model.sequential({
        input: yield* Activation.quantIdentity({
          actQuant: pipe(ShiftedScaledInt.ShiftedUint8ActPerTensorFloat, collect)
        }),
        fc: yield* Linear.quantLinear({
          inFeatures: 20,
          outFeatures: 5,
          hasBias: false,
          weightQuant: ShiftedScaledInt.ShiftedUint8WeightPerTensorFloat
        }),
        act: yield* Activation.quantIdentity({
          actQuant: pipe(ShiftedScaledInt.ShiftedUint8ActPerTensorFloat, collect)
        })
      })
      yield* Networks.train(shiftedActs, Networks.mlpShape)
      const shifts = yield* compared(shiftedActs, Networks.mlpShape, 100)
      const { grid } = shifts.network.input
      expect(grid.kind === "integer" && (grid.zeroPoint.data[0] as number) > 50).toBe(true)
      expect(shifts.differing.filter((margin) => margin > near)).toEqual([])
    })
  )

  scoped("adds branches, averages with a cut, scales and shifts channels", () =>
    Effect.gen(function* () {
      const shared = { inputQuant: pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2 })) }
      const act = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2 }))
      const layers = {
        input: yield* Activation.quantReLU({ actQuant: act, returnQuantTensor: true, inputQuant: shared.inputQuant }),
        pool: yield* Truncated.truncAvgPool2d({ kernelSize: [2, 2] }),
        scaled: yield* Normalization.quantScaleBias({ channels: 2, biasQuant: ScaledInt.Int32Bias }),
        add: yield* Elementwise.quantEltwiseAdd({ ...shared, outputQuant: shared.inputQuant })
      }
      yield* State.assign(layers.scaled, {
        weight: yield* owned(() => Networks.drawn(3, [2])),
        bias: yield* owned(() => Networks.drawn(4, [2]))
      })
      const model = Model.functional(layers, (layer, x: Layer.Value) => {
        const pooled = layer.pool(layer.input(x))
        return layer.add([layer.scaled(pooled), pooled])
      })
      yield* Networks.train(model, [2, 4, 4, 2])
      const { differing, network } = yield* compared(model, [2, 4, 4, 2], 30)
      expect(network.steps.map(({ operation }) => operation.op)).toContain("add")
      expect(differing.filter((margin) => margin > near)).toEqual([])
    })
  )

  scoped("compares with thresholds after a normalization, and what never turns", () =>
    Effect.gen(function* () {
      const collect = Injector.let({ collectStatsSteps: 2 })
      const learned = { weightQuant: ScaledInt.Int8WeightPerChannelFloat, hasBias: false } as const
      const act = pipe(ScaledInt.Uint8ActPerTensorFloat, collect)
      const signs = { actQuant: Binary.SignedBinaryActPerTensorConst } as const
      const norm1 = yield* Normalization.batchNorm({ channels: 6 })
      const model = Model.sequential({
        input: yield* Activation.quantIdentity({ actQuant: pipe(ScaledInt.Int8ActPerTensorFloat, collect) }),
        conv1: yield* Convolution.quantConv2d({
          inChannels: 2,
          outChannels: 6,
          kernelSize: [3, 3],
          padding: 1,
          seed: 1,
          ...learned
        }),
        norm1,
        relu: yield* Activation.quantReLU({ actQuant: pipe(act, Injector.let({ bitWidth: 4 })) }),
        conv2: yield* Convolution.quantConv2d({
          inChannels: 6,
          outChannels: 4,
          kernelSize: [2, 2],
          seed: 2,
          ...learned
        }),
        norm2: yield* Normalization.batchNorm({ channels: 4 }),
        sigmoid: yield* Activation.quantSigmoid(),
        conv3: yield* Convolution.quantConv2d({
          inChannels: 4,
          outChannels: 8,
          kernelSize: [2, 2],
          seed: 3,
          ...learned
        }),
        norm3: yield* Normalization.batchNorm({ channels: 8 }),
        sign: yield* Activation.quantIdentity(signs),
        pool: Pooling.maxPool2d({ size: [2, 2] }),
        flatten: Model.flatten,
        fc: yield* Linear.quantLinear({ inFeatures: 32, outFeatures: 6, seed: 4, ...learned }),
        again: yield* Activation.quantIdentity(signs),
        fc2: yield* Linear.quantLinear({ inFeatures: 6, outFeatures: 5, seed: 5, ...learned }),
        norm: yield* TensorNorm.tensorNorm()
      })
      yield* Networks.train(model, [4, 6, 6, 2], 6)
      // some channels fall, one is constant, one is far off
      yield* State.assign(norm1, { weight: yield* owned(() => tf.tensor([1, -1, 0.5, -0.25, 0, 3])) })
      const { differing, network, count } = yield* compared(model, [4, 6, 6, 2], 80)
      expect(count).toBe(400)
      const near2 = (margin: number): boolean => margin > near
      expect(differing.filter(near2)).toEqual([])
      expect(differing.length).toBeLessThan(40)
      const ops = network.steps.map(({ operation }) => operation.op)
      expect(ops.filter((op) => op === "thresholds")).toHaveLength(4)
      expect(ops).not.toContain("rescale")
      const first = network.steps.find(({ operation }) => operation.op === "thresholds")?.operation
      expect(first?.op === "thresholds" && [...first.signs].filter((sign) => sign < 0)).toEqual([-1, -1])
      expect(network.output.offset).toBeDefined()
      // it survives as a file
      const read = yield* Effect.fromResult(IntegerNetwork.decode(IntegerNetwork.encode(network)))
      expect(read).toEqual(network)
    })
  )

  scoped("turns convolutions round, in groups and with steps between", () =>
    Effect.gen(function* () {
      const collect = Injector.let({ collectStatsSteps: 2 })
      const up = (options: object) =>
        TransposedConvolution.quantConvTranspose2d({
          inChannels: 4,
          outChannels: 6,
          kernelSize: [3, 2],
          weightQuant: ScaledInt.Int8WeightPerChannelFloat,
          biasQuant: ScaledInt.Int32Bias,
          ...options
        } as never)
      for (const options of [
        {},
        { groups: 2 },
        { strides: [2, 3], padding: 1, outputPadding: [1, 0] },
        { strides: [2, 1], dilations: [1, 2], groups: 2, weightQuant: ScaledInt.Int8WeightPerTensorFloat }
      ]) {
        const model = Model.sequential({
          input: yield* Activation.quantIdentity({
            actQuant: pipe(ShiftedScaledInt.ShiftedUint8ActPerTensorFloat, collect),
            returnQuantTensor: true
          }),
          up: yield* up(options),
          act: yield* Activation.quantReLU({ actQuant: pipe(ScaledInt.Uint8ActPerTensorFloat, collect) })
        })
        yield* Networks.train(model, [2, 4, 4, 4])
        const { differing, network, count } = yield* compared(model, [2, 4, 4, 4], 20)
        expect(differing.filter((margin) => margin > near)).toEqual([])
        expect(differing.length).toBeLessThan(count / 50)
        expect(network.accumulators.map(({ layer }) => layer)).toEqual(["up"])
        // nothing goes beyond the stated bounds, and something comes near
        const { low, high } = network.accumulators[0] as IntegerNetwork.Accumulator
        const weight = network.steps[0]?.operation
        if (weight?.op !== "convTranspose") return expect.fail("no transposed convolution")
        const ends = [255, 0].map((q) => ({ shape: [1, 4, 4, 4], data: new Int32Array(64).fill(q) }))
        const sums = ends.flatMap((first) => [...(IntegerNetwork.execute(network, first).get("up")?.data ?? [])])
        expect(Math.max(...sums)).toBeLessThanOrEqual(high)
        expect(Math.min(...sums)).toBeGreaterThanOrEqual(low)
        const read = yield* Effect.fromResult(IntegerNetwork.decode(IntegerNetwork.encode(network)))
        expect(read).toEqual(network)
      }
    })
  )

  scoped("refuses what has no integers, naming the layer", () =>
    Effect.gen(function* () {
      const input = yield* Activation.quantIdentity({ returnQuantTensor: true })
      const fc = (options: object) => Linear.quantLinear({ inFeatures: 4, outFeatures: 3, ...options })
      const refused = (layers: Record<string, Layer.Layer>, options?: IntegerNetwork.Options) =>
        Effect.map(
          Effect.flip(IntegerNetwork.of(Model.sequential(layers), [2, 4], options)),
          (error) => `${error._tag} ${"layer" in error ? error.layer : ""}: ${error.message}`
        )
      expect(yield* refused({ fc: yield* fc({}) })).toMatch(/^NotExportable fc:.*input is not quantized/)
      expect(yield* refused({ input, fc: yield* fc({}) })).toMatch(/^NotExportable fc:.*Int32Bias/)
      expect(yield* refused({ input, fc: yield* fc({ weightQuant: null }) })).toMatch(/^NotExportable fc:.*weightQuant/)
      const norm = yield* Normalization.batchNorm({ channels: 4 })
      const bare = yield* fc({ hasBias: false })
      expect(yield* refused({ input, norm, bare })).toMatch(
        /^NotExportable bare:.*what norm answers are floats; let a quantizer follow/
      )
      const wide = yield* Activation.quantIdentity({ act: { bitWidth: 10 } })
      expect(yield* refused({ input, norm, wide })).toMatch(/^NotExportable wide:.*more than 8 bits.*mergeInto/)
      const sigmoid = yield* Activation.quantSigmoid({ actQuant: null })
      expect(yield* refused({ input, sigmoid })).toMatch(/^NotExportable sigmoid:.*quantize what it answers/)
      const float = yield* fc({ hasBias: false, weightQuant: Float.Fp8e4m3OCPWeightPerTensorFloat })
      expect(yield* refused({ input, fc: float })).toMatch(/^NotExportable fc:.*minifloat/)
      const own = Model.stateless("Mine", (x) => tf.square(x))
      expect(yield* refused({ input, own })).toMatch(/^NotExportable own:.*not known as data/)
      expect(yield* refused({ input, fc: bare }, { accumulatorBits: 12 })).toMatch(/^AccumulatorOverflow fc:.*12/)
    })
  )

  scoped("reaches the stated bounds with the worst inputs, and no input goes beyond", () =>
    Effect.gen(function* () {
      const build = (layer: Layer.Layer, act = {}) =>
        Effect.gen(function* () {
          const input = yield* Activation.quantIdentity({
            actQuant: pipe(ShiftedScaledInt.ShiftedUint8ActPerTensorFloat, Injector.let({ collectStatsSteps: 2 })),
            returnQuantTensor: true,
            ...act
          })
          return Model.sequential({ input, layer })
        })
      const options = { weightQuant: ScaledInt.Int8WeightPerChannelFloat, biasQuant: ScaledInt.Int32Bias, seed: 4 }
      const layers = [
        [yield* Linear.quantLinear({ inFeatures: 12, outFeatures: 5, ...options }), [2, 12]],
        [
          yield* Convolution.quantConv2d({ inChannels: 2, outChannels: 3, kernelSize: [3, 3], ...options }),
          [2, 3, 3, 2]
        ],
        [
          yield* Convolution.quantConv2d({ inChannels: 4, outChannels: 4, groups: 2, kernelSize: [2, 2], ...options }),
          [1, 2, 2, 4]
        ]
      ] as const
      for (const [layer, shape] of layers) {
        const model = yield* build(layer)
        yield* Networks.train(model, shape)
        const network = yield* IntegerNetwork.of(model, shape)
        const { operation, output } = network.steps[0] as IntegerNetwork.Step
        if (operation.op !== "linear" && operation.op !== "conv") return expect.fail(operation.op)
        const { low: least, high: most } = network.meanings[network.input.name] as IntegerNetwork.Meaning
        const { weight, bias } = operation
        const { low, high } = network.accumulators[0] as IntegerNetwork.Accumulator
        const outputs = weight.shape.at(-1) as number
        const one = shape.slice(1).reduce((a: number, b: number) => a * b, 1)
        const inner = weight.shape.at(-2) as number
        const perGroup = outputs / (operation.op === "conv" ? operation.groups : 1)
        const channels = shape.at(-1) as number
        // the input that makes one output as large, or as small, as can be: each value at the end that its weight asks for
        const worst = (o: number, up: boolean): Int32Array =>
          Int32Array.from({ length: one }, (_, i) => {
            const [tap, channel] = [Math.floor(i / channels), i % channels]
            const within = channel - Math.floor(o / perGroup) * inner
            if (operation.op === "conv" && (within < 0 || within >= inner)) return least
            const w = weight.data[
              operation.op === "conv" ? (tap * inner + within) * outputs + o : i * outputs + o
            ] as number
            return w > 0 === up ? most : least
          })
        const reached = Array.from({ length: outputs }, (_, o) =>
          [true, false].map((up) => {
            const data = IntegerNetwork.execute(network, { shape: [1, ...shape.slice(1)], data: worst(o, up) }).get(
              output
            )?.data
            // partial sums may be larger by a bias of the other sign
            return (data?.[o] as number) - (up ? Math.min(0, bias?.[o] ?? 0) : Math.max(0, bias?.[o] ?? 0))
          })
        )
        expect(Math.max(...reached.map(([up]) => up as number))).toBe(high)
        expect(Math.min(...reached.map(([, down]) => down as number))).toBe(low)
        // one bit less than that is an overflow, told before anything runs
        const bits = network.accumulators[0]?.bits as number
        expect((yield* IntegerNetwork.of(model, shape, { accumulatorBits: bits })).accumulators[0]?.bits).toBe(bits)
        const error = yield* Effect.flip(IntegerNetwork.of(model, shape, { accumulatorBits: bits - 1 }))
        expect(error).toMatchObject({ _tag: "AccumulatorOverflow", layer: "layer", bits, available: bits - 1 })
        // whatever else comes in stays within
        const random = yield* owned(() => Networks.drawn(11, [50, ...shape.slice(1)]))
        const first = IntegerNetwork.quantized(
          network,
          random.dataSync().map((x) => 9 * x) as Float32Array,
          random.shape
        )
        const sums = IntegerNetwork.execute(network, first).get(output)?.data as Int32Array
        expect(Math.max(...sums)).toBeLessThanOrEqual(high)
        expect(Math.min(...sums)).toBeGreaterThanOrEqual(low)
      }
    })
  )

  scoped("rounds a float bias on request", () =>
    Effect.gen(function* () {
      const model = Model.sequential({
        input: yield* Activation.quantIdentity(),
        fc: yield* Linear.quantLinear({ inFeatures: 20, outFeatures: 5 })
      })
      yield* Networks.train(model, Networks.mlpShape, 2)
      expect((yield* Effect.flip(IntegerNetwork.of(model, Networks.mlpShape)))._tag).toBe("NotExportable")
      const network = yield* IntegerNetwork.of(model, Networks.mlpShape, { biases: "round" })
      const x = yield* owned(() => Networks.drawn(77, Networks.mlpShape))
      const y = (yield* ownedValue(Layer.forward(model, x))) as tf.Tensor
      const answer = yield* IntegerNetwork.run(network, x.dataSync() as Float32Array)
      const floats = y.dataSync()
      const off = [...answer.data].map((q, i) =>
        Math.abs(q - (floats[i] as number) / (answer.meaning.scale[0] as number))
      )
      // half a step of a sum at most, besides float32
      expect(Math.max(...off)).toBeLessThan(0.51)
      expect(Math.max(...off)).toBeGreaterThan(0.01)
    })
  )
})

describe("a shift", () => {
  it("rounds half to even in whole numbers", () => {
    expect([-6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6].map((q) => shifted(q, 2))).toEqual([
      -2, -1, -1, 0, 0, 0, 0, 0, 1, 1, 2
    ])
    expect(shifted(3, -2)).toBe(12)
    expect(shifted(2 ** 30 + 1, 31)).toBe(1)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe, type Scope } from "effect"
import * as ort from "onnxruntime-web/wasm"
import { describe, expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import { bytesOf } from "../../src/exchange/OnnxBuilder.ts"
import * as StateDigest from "../../src/exchange/StateDigest.ts"
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
import * as TransposedConvolution from "../../src/nn/TransposedConvolution.ts"
import * as Truncated from "../../src/nn/Truncated.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as Dynamic from "../../src/quant/Dynamic.ts"
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import * as FloatOcp from "../../src/quant/FloatOcp.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

ort.env.wasm.numThreads = 1

/** The axes of a value with its channels second, and the way back. */
const toFirst = (rank: number): Array<number> => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]
const toLast = (rank: number): Array<number> => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]

/** What onnxruntime makes of the bytes of a model for an input in breve's layout, in breve's layout. */
const inRuntime = (bytes: Uint8Array, x: tf.Tensor, level: "disabled" | "all" = "all") =>
  Effect.gen(function* () {
    const first = yield* owned(() => (x.rank > 2 ? tf.transpose(x, toFirst(x.rank)) : x.clone()))
    const answer = yield* Effect.promise(async () => {
      const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: level })
      const feeds = { input: new ort.Tensor("float32", first.dataSync() as Float32Array, first.shape) }
      const answers = await session.run(feeds)
      const y = answers[session.outputNames[0] as string] as ort.Tensor
      const read = { dims: [...y.dims], data: Float32Array.from(y.data as Float32Array) }
      await session.release()
      return read
    })
    const y = yield* owned(() => tf.tensor(answer.data, answer.dims))
    return yield* owned(() => (y.rank > 2 ? tf.transpose(y, toLast(y.rank)) : y.clone()))
  })

/** The largest difference between a model and its file in the runtime, relative to the largest answer. */
const difference = (model: Layer.Layer, shape: ReadonlyArray<number>, options: Partial<Onnx.QcdqOptions> = {}) =>
  Effect.gen(function* () {
    const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape, ...options })
    const x = yield* owned(() => Networks.drawn(5, shape))
    const y = (yield* ownedValue(Layer.forward(model, x))) as tf.Tensor
    const theirs = yield* inRuntime(bytes, x)
    expect(theirs.shape).toEqual(y.shape)
    const [a, b] = [y.dataSync(), theirs.dataSync()]
    const largest = Math.max(...a.map(Math.abs))
    return Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number)))) / largest
  })

const collected = Injector.let({ collectStatsSteps: 2 })
const act = pipe(ScaledInt.Int8ActPerTensorFloat, collected)

onBackends("a QCDQ file in onnxruntime", () => {
  for (const bits of [8, 4] as const)
    for (const opset of [13, 21] as const)
      scoped(`computes what the integers of an MLP and a CNN of ${bits} bits do, opset ${opset}`, () =>
        Effect.gen(function* () {
          for (const [make, shape] of [
            [Networks.mlp, Networks.mlpShape],
            [Networks.cnn, Networks.cnnShape]
          ] as const) {
            const model = yield* make(bits)
            const network = yield* IntegerNetwork.of(model, shape)
            const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape, opset })
            // another batch than the one that was traced
            const x = yield* owned(() => Networks.drawn(9, [30, ...shape.slice(1)]))
            const theirs = (yield* inRuntime(bytes, x)).dataSync()
            const answer = yield* IntegerNetwork.run(network, x.dataSync() as Float32Array)
            const { scale } = answer.meaning
            const first = IntegerNetwork.quantized(network, x.dataSync() as Float32Array, x.shape)
            const margins = IntegerNetwork.margins(network, first)
            const size = answer.data.length / 30
            const off = [...answer.data].flatMap((q, i) => {
              const steps = (theirs[i] as number) / (scale[scale.length === 1 ? 0 : i % scale.length] as number)
              return Math.abs(steps - q) < 0.1 ? [] : [margins[Math.floor(i / size)] as number]
            })
            expect(off.filter((margin) => margin > 1e-3)).toEqual([])
            expect(off.length).toBeLessThan(6)
          }
        })
      )

  scoped("computes what the model does, layer by layer", () =>
    Effect.gen(function* () {
      const shape = [2, 6, 5, 4]
      const trained = (model: Layer.Layer, of: ReadonlyArray<number> = shape) =>
        Effect.gen(function* () {
          for (const seed of [1, 2, 3]) {
            const x = yield* owned(() => Networks.drawn(seed, of))
            yield* ownedValue(Layer.forward(model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
          }
          return yield* difference(model, of)
        })
      const norm = yield* Normalization.batchNorm({ channels: 4 })
      const affine = yield* Normalization.quantScaleBias({ channels: 4 })
      yield* State.assign(affine, {
        weight: yield* owned(() => Networks.drawn(3, [4])),
        bias: yield* owned(() => Networks.drawn(4, [4]))
      })
      const up = yield* TransposedConvolution.quantConvTranspose2d({
        inChannels: 4,
        outChannels: 6,
        kernelSize: [3, 2],
        strides: [2, 2],
        padding: 1,
        outputPadding: [1, 0],
        groups: 2,
        weightQuant: ScaledInt.Int8WeightPerChannelFloat
      })
      const cat = yield* Elementwise.quantCat({ inputQuant: act, outputQuant: act })
      const add = yield* Elementwise.quantEltwiseAdd({ inputQuant: act, outputQuant: act })
      const near = 1e-5
      const relu = Model.relu
      expect(yield* trained(Model.sequential({ norm, affine, relu }))).toBeLessThan(near)
      expect(yield* trained(Model.sequential({ up }))).toBeLessThan(near)
      const joined = Model.functional({ cat, add, up }, (layer, x: Layer.Value) =>
        layer.cat([layer.up(x), layer.up(layer.add([x, x]))])
      )
      expect(yield* trained(joined)).toBeLessThan(near)
      const pools = Model.sequential({
        average: Pooling.avgPool2d({ size: [3, 3], strides: [1, 2], pad: 1 }),
        largest: Pooling.maxPool2d({ size: [2, 2], strides: [1, 1], pad: "same" }),
        act: yield* Activation.quantHardTanh({ actQuant: null, minVal: -0.25, maxVal: 0.5 }),
        sigmoid: yield* Activation.quantSigmoid({ actQuant: null }),
        tanh: yield* Activation.quantTanh({ actQuant: null })
      })
      expect(yield* trained(pools)).toBeLessThan(near)
      const sequence = Model.sequential({
        conv: yield* Convolution.quantConv1d({ inChannels: 3, outChannels: 4, kernelSize: [3], padding: [2, 0] }),
        act: yield* Activation.quantReLU({ actQuant: pipe(ScaledInt.Uint8ActPerTensorFloat, collected) }),
        fc: yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 5 }),
        back: yield* Convolution.quantConv1d({ inChannels: 5, outChannels: 2, kernelSize: [1], hasBias: false })
      })
      expect(yield* trained(sequence, [2, 7, 3])).toBeLessThan(near)
      const volume = yield* Convolution.quantConv3d({
        inChannels: 2,
        outChannels: 3,
        kernelSize: [2, 2, 2],
        padding: "same"
      })
      expect(yield* trained(volume, [1, 3, 4, 4, 2])).toBeLessThan(near)
      const signs = yield* Linear.quantLinear({
        inFeatures: 4,
        outFeatures: 3,
        weightQuant: Binary.SignedBinaryWeightPerTensorConst
      })
      expect(yield* trained(signs)).toBeLessThan(near)
      const sign = yield* Activation.quantIdentity({ actQuant: Binary.SignedBinaryActPerTensorConst })
      const zeros = Model.sequential({
        relu,
        sign,
        centre: Model.stateless("Affine", (x) => tf.sub(tf.mul(x, 3), 0.5), { op: "affine", factor: 3, offset: -0.5 })
      })
      expect(yield* trained(zeros)).toBeLessThan(near)
      // the order of a flattened image matters to whoever sees it
      const flat = Model.sequential({ relu, flatten: Model.flatten })
      const bent = Model.sequential({ pool: Pooling.maxPool2d({ size: [2, 2] }), flatten: Model.flatten })
      expect(yield* trained(flat)).toBeLessThan(near)
      expect(yield* trained(bent)).toBeLessThan(near)
    })
  )
})

onBackends("a truncation with a scale for each channel", () => {
  const summed = (truncated: Effect.Effect<Layer.Layer, Layer.BuildError, Scope.Scope>) =>
    Effect.gen(function* () {
      const model = Model.sequential({
        // a power of two as its scale makes the sums exact
        act: yield* Activation.quantIdentity({
          actQuant: pipe(FixedPoint.Int8ActPerTensorFixedPoint, collected),
          returnQuantTensor: true
        }),
        conv: yield* Convolution.quantConv2d({
          inChannels: 4,
          outChannels: 6,
          kernelSize: [3, 3],
          hasBias: false,
          weightQuant: ScaledInt.Int8WeightPerChannelFloat,
          returnQuantTensor: true
        }),
        cut: yield* truncated
      })
      for (const seed of [1, 2, 3]) {
        const x = yield* owned(() => Networks.drawn(seed, shape))
        yield* ownedValue(Layer.forward(model, x, Layer.training) as Effect.Effect<Layer.Value, Layer.InputError>)
      }
      return model
    })
  const shape = [2, 6, 6, 4]
  const { TruncTo8bit, RoundTo8bit } = ScaledInt
  const cases = {
    "an accumulator, cut": Truncated.quantAccumulator({ truncQuant: TruncTo8bit }),
    "an accumulator, cut upwards": Truncated.quantAccumulator({
      truncQuant: TruncTo8bit,
      trunc: { floatToIntImplType: "ceil" }
    }),
    "an accumulator, rounded": Truncated.quantAccumulator({ truncQuant: RoundTo8bit }),
    "an average pool, cut": Truncated.truncAvgPool2d({ kernelSize: [2, 2] })
  }
  for (const [name, truncated] of Object.entries(cases))
    scoped(`is what the model does: ${name}`, () =>
      Effect.gen(function* () {
        const model = yield* summed(truncated)
        const x = yield* owned(() => Networks.drawn(9, shape))
        const y = QuantTensor.dequantized(yield* ownedValue(Layer.forward(model, x)))
        const largest = Math.max(...y.dataSync().map(Math.abs))
        const off = (theirs: ArrayLike<number>) =>
          Math.max(...y.dataSync().map((v, i) => Math.abs(v - (theirs[i] as number)))) / largest
        for (const opset of [13, 21] as const) {
          const { graph } = yield* Onnx.toQcdq(model, { inputShape: shape, opset })
          expect(graph.initializer.find(({ name }) => name === "output.scale")?.dims).toEqual([6])
          const floats = graph.initializer.filter(({ dataType }) => dataType === "float32")
          for (const { rawData, dims } of floats) {
            expect(rawData.length).toBe(4 * dims.reduce((a, b) => a * b, 1))
            expect(new Float32Array(Uint8Array.from(rawData).buffer).every(Number.isFinite)).toBe(true)
          }
          const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape, opset })
          expect(off((yield* inRuntime(bytes, x, "disabled")).dataSync())).toBeLessThan(1e-6)
        }
      })
    )
})

onBackends("a truncation to scales of channels", () => {
  for (const floatToIntImplType of ["floor", "ceil"] as const)
    scoped(`of integers that have one scale is what the model does: ${floatToIntImplType}`, () =>
      Effect.gen(function* () {
        const shape = [2, 6, 6, 4]
        const truncQuant = pipe(
          ScaledInt.ShiftRoundSaturateTo8bit,
          Injector.let({ bitWidth: 4, floatToIntImplType, collectStatsSteps: 2, scalingPerOutput: "channel" }),
          Injector.merge(
            Injector.make({ scalingPerOutputChannelShape: [1, 1, 1, 4], scalingStatsPermuteDims: [3, 0, 1, 2] })
          ),
          Injector.merge(Injector.make({ perChannelBroadcastableShape: [1, 1, 1, 4] }))
        )
        const act = pipe(FixedPoint.Int8ActPerTensorFixedPoint, collected)
        const model = Model.sequential({
          act: yield* Activation.quantIdentity({ actQuant: act, returnQuantTensor: true }),
          cut: yield* Truncated.quantAccumulator({ truncQuant })
        })
        // channels of different sizes are cut by different amounts
        const drawn = (seed: number) =>
          owned(() => tf.tidy(() => tf.mul(Networks.drawn(seed, shape), [1, 0.5, 0.25, 0.125])))
        for (const seed of [1, 2, 3]) yield* ownedValue(Layer.forward(model, yield* drawn(seed), Layer.training))
        const x = yield* drawn(9)
        const y = QuantTensor.dequantized(yield* ownedValue(Layer.forward(model, x)))
        const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape })
        const theirs = yield* inRuntime(bytes, x, "disabled")
        // zeros have a sign in floats alone
        const wanted = [...y.dataSync()].map((v) => v + 0)
        expect([...theirs.dataSync()].map((v) => v + 0)).toEqual(wanted)
        const network = yield* IntegerNetwork.of(model, shape)
        expect(new Set(network.output.scale).size).toBeGreaterThan(1)
        const { data, meaning } = yield* IntegerNetwork.run(network, x.dataSync() as Float32Array)
        expect([...data].map((q, i) => IntegerNetwork.floatOf(meaning, q, i) + 0)).toEqual(wanted)
      })
    )
})

onBackends("an export", () => {
  scoped("gives the same bytes twice, changes nothing and leaves nothing behind", () =>
    Effect.gen(function* () {
      const model = yield* Networks.cnn(4)
      const before = yield* State.extract(model)
      const tensors = tf.memory().numTensors
      const options = { inputShape: Networks.cnnShape }
      const [a, b] = [yield* Onnx.exportQcdq(model, options), yield* Onnx.exportQcdq(model, options)]
      const [c, d] = [yield* Onnx.exportQonnx(model, options), yield* Onnx.exportQonnx(model, options)]
      expect(Buffer.compare(a, b)).toBe(0)
      expect(Buffer.compare(c, d)).toBe(0)
      expect(tf.memory().numTensors).toBe(tensors)
      expect(yield* State.extract(model)).toEqual(before)
    })
  )

  scoped("says of which state it is, and of another one where anything that was learned differs", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(4)
      const stated = (options: Partial<Onnx.QcdqOptions> = {}) =>
        Effect.map(
          Onnx.toQcdq(model, { inputShape: Networks.mlpShape, ...options }),
          ({ metadataProps }) => metadataProps
        )
      const before = yield* stated()
      expect(before).toEqual([{ key: "breve.state", value: yield* StateDigest.of(model) }])
      expect(yield* stated({ opset: 21 })).toEqual(before)
      const state = yield* State.extract(model)
      const [name, stored] = Object.entries(state).find(([key]) => key.startsWith("relu2")) as [string, Stored.Stored]
      const data = stored.data.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
      yield* State.load(model, { ...state, [name]: { ...stored, data } }, "strict")
      expect(yield* stated()).not.toEqual(before)
      // a load brings back the same bits
      yield* State.load(model, state, "strict")
      expect(yield* stated()).toEqual(before)
    })
  )

  scoped("takes half a byte for a weight of four bits from opset 21 on", () =>
    Effect.gen(function* () {
      const model = yield* Linear.quantLinear({
        inFeatures: 64,
        outFeatures: 64,
        hasBias: false,
        weightQuant: pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4 }))
      })
      const size = (opset: Onnx.Opset) =>
        Effect.map(Onnx.exportQcdq(model, { inputShape: [1, 64], opset }), ({ length }) => length)
      const [wide, packed] = [yield* size(13), yield* size(21)]
      expect(wide - packed).toBeGreaterThan(2048)
    })
  )

  scoped("refuses what has no equivalent, naming the layer", () =>
    Effect.gen(function* () {
      const refused = (layers: Record<string, Layer.Layer>, how: typeof Onnx.exportQcdq, inputShape = [2, 4]) =>
        Effect.map(
          Effect.flip(how(Model.sequential(layers), { inputShape })),
          (error) => `${error._tag} ${error.layer}: ${error.message}`
        )
      const id = (actQuant: Injector.Any, actOptions = {}) =>
        (Activation.quantIdentity as (options: object) => ReturnType<typeof Activation.quantIdentity>)({
          actQuant,
          act: actOptions
        })
      const wide = yield* id(ScaledInt.Int8ActPerTensorFloat, { bitWidth: 12 })
      expect(yield* refused({ wide }, Onnx.exportQcdq)).toMatch(/^NotExportable wide:.*12 bits.*opset 21/)
      const down = yield* id(ScaledInt.Int8ActPerTensorFloat, { floatToIntImplType: "floor" })
      expect(yield* refused({ down }, Onnx.exportQcdq)).toMatch(/^NotExportable down:.*to nearest/)
      const moving = yield* id(Dynamic.Int8DynamicActPerTensorFloat)
      expect(yield* refused({ moving }, Onnx.exportQonnx)).toMatch(/^NotExportable moving:.*depends on its input/)
      const fc = (options: object) => Linear.quantLinear({ inFeatures: 4, outFeatures: 3, ...options })
      const mini = yield* fc({ weightQuant: FloatOcp.Fp8e4m3OCPWeightPerTensorFloat })
      expect(yield* refused({ mini }, Onnx.exportQcdq)).toMatch(/^NotExportable mini:.*minifloat/)
      const grouped = yield* fc({ weightQuant: Microscaling.MXInt8Weight })
      expect(yield* refused({ grouped }, Onnx.exportQcdq)).toMatch(/^NotExportable grouped:.*several axes/)
      const groups = yield* id(Microscaling.MXInt8Act)
      expect(yield* refused({ groups }, Onnx.exportQonnx)).toMatch(/^NotExportable groups:.*groups/)
      const own = Model.stateless("Mine", (x) => tf.square(x))
      expect(yield* refused({ own }, Onnx.exportQcdq)).toMatch(/^NotExportable own:.*not known as data/)
      const between = Model.functional({ relu: Model.relu }, (layer, x: Layer.Value) =>
        layer.relu(tf.mul(x as tf.Tensor, 2))
      )
      const error = yield* Effect.flip(Onnx.exportQcdq(between, { inputShape: [2, 4] }))
      expect(error.message).toMatch(/relu.*between the layers/)
      expect((yield* Effect.flip(Onnx.exportQcdq(Model.relu, { inputShape: [0] })))._tag).toBe("ShapeMismatch")
      const act = yield* Activation.quantReLU({ returnQuantTensor: true })
      const cut = yield* Truncated.quantAccumulator({
        truncQuant: ScaledInt.TruncTo8bit,
        trunc: { floatToIntImplType: "roundToZero" }
      })
      expect(yield* refused({ act, cut }, Onnx.exportQcdq, [1, 4, 4, 2])).toMatch(/^NotExportable cut:.*to nearest/)
    })
  )

  scoped("rectifies before minifloats without a sign, which FloatQuant does not have", () =>
    Effect.gen(function* () {
      const bits = { bitWidth: 7, exponentBitWidth: 4, mantissaBitWidth: 3 }
      const made = (signed: boolean) =>
        Effect.gen(function* () {
          const bitWidth = signed ? 8 : 7
          const actQuant = pipe(FloatOcp.FpOCPActPerTensorFloat, Injector.let({ ...bits, bitWidth, signed }))
          const act = yield* Activation.quantIdentity({ actQuant })
          return (yield* Onnx.toQonnx(Model.sequential({ act }), { inputShape: [2, 4] })).graph.node
        })
      const [relu, quant] = yield* made(false)
      expect([relu?.opType, quant?.opType]).toEqual(["Relu", "FloatQuant"])
      expect(relu?.input).toEqual(["input"])
      expect(quant?.input[0]).toBe(relu?.output[0])
      expect((yield* made(true)).map(({ opType }) => opType)).toEqual(["FloatQuant"])
    })
  )

  scoped("writes minifloats and signs as QONNX", () =>
    Effect.gen(function* () {
      const model = Model.sequential({
        act: yield* Activation.quantIdentity({ actQuant: FloatOcp.Fp8e4m3OCPActPerTensorFloat }),
        fc: yield* Linear.quantLinear({
          inFeatures: 4,
          outFeatures: 3,
          weightQuant: Binary.SignedBinaryWeightPerTensorConst
        })
      })
      const { graph, opsetImport } = yield* Effect.flatMap(Onnx.exportQonnx(model, { inputShape: [2, 4] }), (bytes) =>
        Onnx.decode(bytes)
      )
      expect(graph.node.map(({ opType }) => opType)).toEqual(["FloatQuant", "BipolarQuant", "Gemm"])
      expect(opsetImport).toEqual([
        { domain: "", version: 14 },
        { domain: "qonnx.custom_op.general", version: 2 }
      ])
      const constant = (name: string | undefined) => {
        const { rawData } = graph.initializer.find((tensor) => tensor.name === name) ?? { rawData: new Uint8Array(4) }
        return new DataView(rawData.buffer, rawData.byteOffset).getFloat32(0, true)
      }
      // exponent and mantissa bits, bias, largest value of E4M3
      expect(graph.node[0]?.input.slice(2).map(constant)).toEqual([4, 3, 7, 448])
    })
  )
})

describe("elements", () => {
  it("of four bits share bytes, the first one low", () => {
    expect([...bytesOf("int4", [1, -1, -8])]).toEqual([0xf1, 0x08])
    expect([...bytesOf("int16", [-2, 258])]).toEqual([0xfe, 0xff, 2, 1])
    expect([...bytesOf("int64", [-1])]).toEqual(new Array(8).fill(255))
  })
})

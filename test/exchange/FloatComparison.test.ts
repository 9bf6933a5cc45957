/** FloatComparison.ts, FileTies.ts, FloatQuant in OnnxNodes.ts: minifloats are computed as trained, and certified. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { expect } from "vitest"
import * as Certificate from "../../src/exchange/Certificate.ts"
import * as FileTies from "../../src/exchange/FileTies.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import * as OnnxEvaluator from "../../src/exchange/OnnxEvaluator.ts"
import * as OnnxProto from "../../src/exchange/OnnxProto.ts"
import * as OnnxRuntime from "../../src/exchange/OnnxRuntime.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as FloatFnuz from "../../src/quant/FloatFnuz.ts"
import * as FloatOcp from "../../src/quant/FloatOcp.ts"
import * as Microscaling from "../../src/quant/Microscaling.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"
import { onBackends, owned, ownedValue, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

type Any = any

const identity = (actQuant: Injector.Any, act = {}) =>
  (Activation.quantIdentity as Any)({ actQuant, act }) as ReturnType<typeof Activation.quantIdentity>

/** Every exponent, ties of every kind, what lies beyond the largest value, zeros, infinities, NaN. */
const awkward = (): Float32Array =>
  Float32Array.from([
    ...Array.from({ length: 60 }, (_, e) =>
      [1, 1.0625, 1.125, 1.1875, 1.25, 1.3125, 1.5, 1.75, 1.9375, 1.99].map((m) => m * 2 ** (e - 40))
    ).flat(),
    ...Array.from({ length: 60 }, (_, e) =>
      [-1, -1.0625, -1.375, -1.875, -1.96875].map((m) => m * 2 ** (e - 40))
    ).flat(),
    0,
    -0,
    448,
    464,
    465,
    480,
    57344,
    61440,
    61441,
    65536,
    6,
    6.9,
    7,
    7.1,
    28,
    30,
    Number.NaN
  ])

const format = (quant: Injector.Any, bitWidth: number, exponentBitWidth: number, mantissaBitWidth: number) =>
  pipe(quant as Any, Injector.let({ bitWidth, exponentBitWidth, mantissaBitWidth })) as Injector.Any

const unsigned = (quant: Injector.Any) => pipe(quant as Any, Injector.let({ signed: false })) as Injector.Any

const formats: Readonly<Record<string, Injector.Any>> = {
  "e4m3 without a scale": FloatOcp.Fp8e4m3OCPAct,
  e4m3: FloatOcp.Fp8e4m3OCPActPerTensorFloat,
  e5m2: FloatOcp.Fp8e5m2OCPActPerTensorFloat,
  "e4m3 fnuz": FloatFnuz.Fp8e4m3FNUZActPerTensorFloat,
  "e5m2 fnuz": FloatFnuz.Fp8e5m2FNUZActPerTensorFloat,
  e2m1: format(FloatOcp.FpOCPActPerTensorFloat, 4, 2, 1),
  e3m2: format(FloatOcp.FpOCPActPerTensorFloat, 6, 3, 2),
  "e4m3 without a sign": unsigned(format(FloatOcp.FpOCPActPerTensorFloat, 7, 4, 3)),
  "e2m2 without a sign": unsigned(format(FloatOcp.FpOCPActPerTensorFloat, 4, 2, 2))
}

onBackends("FloatQuant in the evaluator", () => {
  // a format must saturate if it has no codes for what lies beyond
  for (const [name, quant] of Object.entries(formats))
    for (const saturating of /^e(4m3|5m2)( without a scale)?$/.test(name) ? [true, false] : [true])
      scoped(`is what ${name} does${saturating ? "" : ", where it does not saturate"}`, () =>
        Effect.gen(function* () {
          const layer = yield* identity(quant, { collectStatsSteps: 1, saturating })
          const calibration = yield* owned(() => Networks.drawn(1, [2, 8]))
          yield* ownedValue(Layer.forward(layer, calibration, Layer.training))
          const data = awkward()
          const x = yield* owned(() => tf.tensor(data, [1, data.length]))
          const y = (yield* ownedValue(Layer.forward(layer, x))) as tf.Tensor
          const wide = yield* Onnx.exportQonnx(layer, { inputShape: [1, data.length] })
          const theirs = yield* OnnxEvaluator.run(yield* OnnxEvaluator.program(wide), { shape: [1, data.length], data })
          const wanted = [...y.dataSync()]
          const off = [...theirs.data].flatMap((v, i) =>
            Object.is(v + 0, (wanted[i] as number) + 0) ? [] : [[data[i], v, wanted[i]]]
          )
          expect(off).toEqual([])
        })
      )
})

/** Two layers of minifloats, trained for a few steps. */
const network = (weightQuant: Injector.Any, actQuant: Injector.Any | null) =>
  Effect.gen(function* () {
    const fc = (inFeatures: number, outFeatures: number, seed: number) =>
      (Linear.quantLinear as Any)({ inFeatures, outFeatures, weightQuant, seed }) as ReturnType<
        typeof Linear.quantLinear
      >
    const act = (Activation.quantReLU as Any)({ actQuant, act: { collectStatsSteps: 2 } }) as ReturnType<
      typeof Activation.quantReLU
    >
    const model = Model.sequential({ fc1: yield* fc(64, 48, 1), act: yield* act, fc2: yield* fc(48, 5, 2) })
    yield* Networks.train(model, [8, 64])
    return model
  })

const inputs = (count: number): OnnxRuntime.Floats => ({
  shape: [count, 64],
  data: Random.uniform(Random.make(4), 64 * count, -1, 1)
})

onBackends("a certificate without integers", () => {
  const { MXFloat8e4m3Weight, MXFloat4e2m1Weight, MXInt8Weight } = Microscaling
  for (const [name, weight, act] of [
    ["e4m3", FloatOcp.Fp8e4m3OCPWeightPerTensorFloat, FloatOcp.Fp8e4m3OCPActPerTensorFloat],
    ["e5m2 per channel", FloatOcp.Fp8e5m2OCPWeightPerChannelFloat, FloatOcp.Fp8e5m2OCPActPerTensorFloat],
    ["groups of e4m3", MXFloat8e4m3Weight, FloatOcp.Fp8e4m3OCPActPerTensorFloat],
    ["groups of e2m1", MXFloat4e2m1Weight, null],
    ["groups of integers", MXInt8Weight, ScaledInt.Uint8ActPerTensorFloat]
  ] as const)
    scoped(`is given to the QONNX file of ${name}, and not to one with a changed weight`, () =>
      Effect.gen(function* () {
        const model = yield* network(weight, act)
        const bytes = yield* Onnx.exportQonnx(model, { inputShape: [1, 64] })
        const certify = (file: Uint8Array) =>
          Effect.provide(Certificate.certify(file, model, inputs(60)), OnnxEvaluator.layer)
        const certificate = yield* certify(bytes)
        expect(certificate).toMatchObject({ certified: true, outputs: { shape: [5], tolerance: 1e-5 } })
        expect((certificate.outputs as Any).withoutIntegers).toMatch(/cannot be exported as an integer network/)
        for (const { outputs, equal, explained, differingInputs } of certificate.comparisons) {
          expect(outputs).toBe(300)
          expect(equal).toBeGreaterThan(270)
          expect(explained).toBe(differingInputs)
        }
        expect(JSON.parse(Certificate.json(yield* certify(bytes)))).toEqual(certificate)
        const read = yield* OnnxProto.decode(bytes)
        const initializer = read.graph.initializer.map((tensor) =>
          tensor.name === "output.weight.floats"
            ? { ...tensor, rawData: tensor.rawData.map((b, i) => (i === 3 ? b ^ 128 : b)) }
            : tensor
        )
        const other = yield* certify(OnnxProto.encode({ ...read, graph: { ...read.graph, initializer } }))
        expect(other.certified).toBe(false)
        expect(other.comparisons[1]?.unexplained.length).toBeGreaterThan(1)
      })
    )

  scoped("is given to a QCDQ file whose input is not quantized, in onnxruntime", () =>
    Effect.gen(function* () {
      const model = yield* network(ScaledInt.Int8WeightPerTensorFloat, ScaledInt.Uint8ActPerTensorFloat)
      const bytes = yield* Onnx.exportQcdq(model, { inputShape: [1, 64] })
      const certificate = yield* Effect.provide(Certificate.certify(bytes, model, inputs(60)), OnnxRuntime.layer)
      expect(certificate).toMatchObject({ certified: true, runtime: { name: "onnxruntime-web" } })
    })
  )

  scoped("explains a tie by turning it, and nothing that is none", () =>
    Effect.gen(function* () {
      const layer = yield* identity(FloatOcp.Fp8e4m3OCPAct)
      const program = yield* OnnxEvaluator.program(yield* Onnx.exportQonnx(layer, { inputShape: [1, 4] }))
      // 1.0625 lies between 1 and 1.125, 17 between 16 and 18; 0.3 is no tie
      const x = { shape: [1, 4], data: Float32Array.of(1.0625, 17, 0.3, 448) }
      const explained = (...wanted: ReadonlyArray<number>) =>
        FileTies.explain(program, x, Float32Array.from(wanted), { distance: 1e-3, attempts: 50, tolerance: 1e-6 })
      expect(explained(1, 16, 0.3125, 448)).toEqual([])
      expect(explained(1.125, 16, 0.3125, 448)).toHaveLength(1)
      expect(explained(1.125, 18, 0.3125, 448)).toHaveLength(2)
      expect(explained(1, 16, 0.28125, 448)).toBe(undefined)
      expect(explained(1.25, 16, 0.3125, 448)).toBe(undefined)
      expect(explained(1, 16, 0.3125, Number.NaN)).toBe(undefined)
    })
  )
})

/** Certificate.ts, Agreement.ts, IntegerTies.ts: what a right file gets, and that a wrong one does not get it. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { describe, expect, it } from "vitest"
import * as Certificate from "../../src/exchange/Certificate.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as IntegerTies from "../../src/exchange/IntegerTies.ts"
import * as Onnx from "../../src/exchange/Onnx.ts"
import type * as OnnxModel from "../../src/exchange/OnnxModel.ts"
import * as OnnxProto from "../../src/exchange/OnnxProto.ts"
import * as OnnxRuntime from "../../src/exchange/OnnxRuntime.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as FixedPoint from "../../src/quant/FixedPoint.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Random from "../../src/tensor/Random.ts"
import { onBackends, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const inputs = (shape: ReadonlyArray<number>, count: number, seed = 9): OnnxRuntime.Floats => {
  const of = [count, ...shape.slice(1)]
  const size = of.reduce((a, b) => a * b, 1)
  return { shape: of, data: Random.uniform(Random.make(seed), size, -1, 1) }
}

const certify = (...args: Parameters<typeof Certificate.certify>) =>
  Effect.provide(Certificate.certify(...args), OnnxRuntime.layer)

/** A file with one byte of its largest constant changed. */
const damaged = (bytes: Uint8Array) =>
  Effect.map(OnnxProto.decode(bytes), (model) => {
    const size = ({ rawData }: OnnxModel.Tensor): number => rawData.length
    const most = Math.max(...model.graph.initializer.map(size))
    const initializer = model.graph.initializer.map((tensor) =>
      size(tensor) === most
        ? { ...tensor, rawData: tensor.rawData.with(3, ((tensor.rawData[3] as number) + 1) & 127) }
        : tensor
    )
    return OnnxProto.encode({ ...model, graph: { ...model.graph, initializer } })
  })

onBackends("a certificate", () => {
  for (const bits of [8, 4] as const)
    scoped(`is given to an MLP and a CNN of ${bits} bits`, () =>
      Effect.gen(function* () {
        for (const [make, shape] of [
          [Networks.mlp, Networks.mlpShape],
          [Networks.cnn, Networks.cnnShape]
        ] as const) {
          const model = yield* make(bits)
          const bytes = yield* Onnx.exportQcdq(model, { inputShape: shape, opset: bits === 4 ? 21 : 13 })
          const x = inputs(shape, 70)
          const before = tf.memory().numTensors
          const certificate = yield* certify(bytes, model, x, { file: "m.onnx" })
          expect(tf.memory().numTensors).toBe(before)
          expect(certificate).toMatchObject({
            certified: true,
            model: { file: "m.onnx", bytes: bytes.length, dialect: "QCDQ", opset: bits === 4 ? 21 : 13 },
            runtime: { name: "onnxruntime-web", version: "1.30.0" },
            inputs: { count: 70, shape: shape.slice(1) }
          })
          for (const { outputs, equal, explained, differingInputs, offGrid, classes } of certificate.comparisons) {
            expect([outputs, classes]).toEqual([350, 70])
            expect(equal).toBeGreaterThan(330)
            expect(explained).toBe(differingInputs)
            expect(offGrid).toBeLessThan(0.1)
          }
          // the same again, in other batches; it is data
          expect(
            JSON.parse(Certificate.json(yield* certify(bytes, model, x, { file: "m.onnx", batchSize: 33 })))
          ).toEqual(certificate)
          // a file that fixes its batch takes the rest filled up
          const fixed = yield* Onnx.exportQcdq(model, { inputShape: [8, ...shape.slice(1)], batch: "fixed" })
          const counts = ({ comparisons }: Certificate.Certificate) =>
            comparisons.map((one) => ({ ...one, offGrid: 0 }))
          expect(counts(yield* certify(fixed, model, x))).toEqual(counts(certificate))
        }
      })
    )

  scoped("is refused to a file with one changed weight", () =>
    Effect.gen(function* () {
      const model = yield* Networks.cnn(8)
      const bytes = yield* damaged(yield* Onnx.exportQcdq(model, { inputShape: Networks.cnnShape }))
      const { certified, comparisons } = yield* certify(bytes, model, inputs(Networks.cnnShape, 12))
      const [runtime, training] = comparisons
      expect(certified).toBe(false)
      expect(runtime?.unexplained.length).toBeGreaterThan(6)
      expect(runtime?.largestDifference).toBeGreaterThan(0)
      expect(training?.unexplained).toEqual([])
    })
  )

  scoped("is not asked for with another state than that of the file", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(8)
      const bytes = yield* Onnx.exportQcdq(model, { inputShape: Networks.mlpShape })
      yield* Networks.train(model, Networks.mlpShape, 1)
      const error = yield* Effect.flip(
        certify(bytes, model, inputs(Networks.mlpShape, 2), { file: "m.onnx", state: "m.safetensors" })
      )
      expect(error._tag).toBe("OtherState")
      expect(error.message).toMatch(/^m\.onnx was exported from another state than m\.safetensors: .*export it again/)
      // a file that does not say is run
      const read = yield* OnnxProto.decode(bytes)
      const silent = OnnxProto.encode({ ...read, metadataProps: [] })
      expect((yield* certify(silent, model, inputs(Networks.mlpShape, 20))).certified).toBe(false)
    })
  )

  scoped("is refused to answers that are no numbers, and says how far they are off", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(8)
      const bytes = yield* Onnx.exportQcdq(model, { inputShape: Networks.mlpShape })
      const nothing: OnnxRuntime.Runtime = {
        name: "one of my own",
        version: "7",
        open: () =>
          Effect.succeed({ run: ({ shape }) => Effect.succeed({ shape, data: new Float32Array(10).fill(Number.NaN) }) })
      }
      const certificate = yield* Effect.provideService(
        Certificate.certify(bytes, model, inputs(Networks.mlpShape, 2)),
        OnnxRuntime.OnnxRuntime,
        nothing
      )
      expect(certificate.certified).toBe(false)
      expect(certificate.runtime).toEqual({ name: "one of my own", version: "7" })
      const { low, high } = certificate.outputs as { readonly low: number; readonly high: number }
      expect(certificate.comparisons[0]).toMatchObject({
        equal: 0,
        unexplained: [0, 1],
        largestDifference: high - low + 1
      })
    })
  )

  scoped("is not asked for what is no file, a file of another model, or no inputs", () =>
    Effect.gen(function* () {
      const model = yield* Networks.mlp(8)
      const bytes = yield* Onnx.exportQcdq(model, { inputShape: Networks.mlpShape })
      const other = yield* Onnx.exportQcdq(yield* Networks.cnn(8), { inputShape: Networks.cnnShape })
      const x = inputs(Networks.mlpShape, 2)
      const refused = (given: Uint8Array, of = x) =>
        Effect.map(
          Effect.flip(certify(given, model, of, { file: "x.onnx" })),
          (error) => `${error._tag}: ${error.message}`
        )
      expect(yield* refused(new TextEncoder().encode("no model"))).toMatch(/^MalformedFile: x\.onnx: /)
      expect(yield* refused(other)).toMatch(
        /^ForeignModel: x\.onnx .*its input is \[N, 2, 9, 8\], that of the model \[N, 20\].*export it again/
      )
      expect(yield* refused(new Uint8Array())).toMatch(/^ForeignModel: .*its input is none/)
      expect(yield* refused(bytes, { shape: [0, 20], data: new Float32Array() })).toMatch(/^ShapeMismatch/)
      expect(yield* refused(bytes, { shape: [1, 3], data: new Float32Array(3) })).toMatch(/^ShapeMismatch/)
      // decodes as a model, but is none that could run
      const read = yield* OnnxProto.decode(bytes)
      const broken = OnnxProto.encode({ ...read, graph: { ...read.graph, node: read.graph.node.slice(1) } })
      expect(yield* refused(broken)).toMatch(/^RuntimeFailed: onnxruntime-web cannot load the model/)
    })
  )

  scoped("explains a tie by turning it, and nothing that is none", () =>
    Effect.gen(function* () {
      // all scales are powers of two: sums are exact, and many lie at a half
      const collect = Injector.let({ collectStatsSteps: 2 })
      const model = Model.sequential({
        input: yield* Activation.quantIdentity({
          actQuant: pipe(FixedPoint.Int8ActPerTensorFixedPoint, collect, Injector.let({ bitWidth: 4 })),
          returnQuantTensor: true
        }),
        fc: yield* Linear.quantLinear({
          inFeatures: 20,
          outFeatures: 6,
          weightQuant: pipe(FixedPoint.Int8WeightPerTensorFixedPoint, Injector.let({ bitWidth: 3 })),
          biasQuant: ScaledInt.Int32Bias
        }),
        act: yield* Activation.quantReLU({
          actQuant: pipe(FixedPoint.Uint8ActPerTensorFixedPoint, collect, Injector.let({ bitWidth: 3 }))
        })
      })
      yield* Networks.train(model, Networks.mlpShape)
      const network = yield* IntegerNetwork.of(model, Networks.mlpShape)
      const many = inputs(Networks.mlpShape, 200)
      const found = { ties: 0, none: 0 }
      for (let row = 0; row < 200; row++) {
        const values = many.data.slice(20 * row, 20 * row + 20)
        const first = IntegerNetwork.quantized(network, values, [1, 20])
        const margin = IntegerNetwork.margins(network, first)[0] as number
        const { data } = yield* IntegerNetwork.run(network, values)
        const options = { distance: 1e-9, attempts: 50 }
        expect(IntegerTies.explain(network, { values, first }, data, options)).toEqual([])
        // every output one higher: some may be ties, all of them are not
        const wrong = data.map((q) => (q > 3 ? q - 2 : q + 2))
        expect(IntegerTies.explain(network, { values, first }, wrong, options)).toBe(undefined)
        if (margin > 0) {
          found.none += 1
          continue
        }
        found.ties += 1
        const turned = [-1, 1].flatMap((by) =>
          [...data].map((_, i) =>
            IntegerTies.explain(network, { values, first }, data.with(i, (data[i] as number) + by), options)
          )
        )
        const explained = turned.filter((ties) => ties !== undefined)
        expect(explained.length).toBeGreaterThan(0)
        for (const ties of explained) expect(ties).toHaveLength(1)
      }
      expect(found.ties).toBeGreaterThan(10)
      expect(found.none).toBeGreaterThan(10)
    })
  )
})

describe("a runtime", () => {
  it("that is not there says what to install", async () => {
    const error = await Effect.runPromise(
      Effect.flip(
        Effect.provide(
          OnnxRuntime.OnnxRuntime,
          OnnxRuntime.loaded(() => Promise.reject(new Error("gone")))
        )
      )
    )
    expect(error._tag).toBe("RuntimeUnavailable")
    expect(error.message).toMatch(/onnxruntime-web is not available: npm install onnxruntime-web \(gone\)/)
  })
})

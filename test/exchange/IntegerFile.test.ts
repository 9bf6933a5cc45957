/** IntegerFile.ts: a network comes back from its file as it was, and what was tampered with is refused. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import { expect } from "vitest"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as Normalization from "../../src/nn/Normalization.ts"
import * as Binary from "../../src/quant/Binary.ts"
import * as Random from "../../src/tensor/Random.ts"
import type * as Stored from "../../src/tensor/Stored.ts"
import { onBackends, scoped } from "../nn/Scoped.ts"
import * as Networks from "./Networks.ts"

const made = [
  [Networks.mlp, Networks.mlpShape],
  [Networks.cnn, Networks.cnnShape]
] as const

type Program = any

onBackends("a file of integers", () => {
  scoped("is the network that was written, and takes few bytes", () =>
    Effect.gen(function* () {
      for (const [make, shape] of made) {
        const network = yield* IntegerNetwork.of(yield* make(4), shape)
        const bytes = IntegerNetwork.encode(network)
        expect(IntegerNetwork.encode(network)).toEqual(bytes)
        const read = yield* Effect.fromResult(IntegerNetwork.decode(bytes, "n.safetensors"))
        expect(read).toEqual(network)
        const size = shape.slice(1).reduce((a, b) => a * b, 1)
        const x = Random.uniform(Random.make(3), 20 * size, -1, 1)
        expect(yield* IntegerNetwork.run(read, x)).toEqual(yield* IntegerNetwork.run(network, x))
        const { tensors } = yield* Effect.fromResult(Safetensors.decode(bytes))
        const weights = Object.entries(tensors).filter(([name]) => name.endsWith(".weight"))
        expect(weights.length).toBe(3)
        expect(weights.every(([, { dtype }]) => dtype === "I8")).toBe(true)
      }
    })
  )

  scoped("is refused where its program or its tensors do not fit", () =>
    Effect.gen(function* () {
      const network = yield* IntegerNetwork.of(yield* Networks.cnn(4), Networks.cnnShape)
      const { tensors, metadata } = yield* Effect.fromResult(Safetensors.decode(IntegerNetwork.encode(network)))
      const program = metadata["breve.integers"] as string
      const refused = (change: (program: Program) => void, others: Stored.Tensors = tensors) => {
        const changed: Program = JSON.parse(program)
        change(changed)
        const bytes = Safetensors.encode(others, { "breve.integers": JSON.stringify(changed) })
        const result = IntegerNetwork.decode(bytes, "n")
        return Result.isFailure(result) ? `${result.failure._tag} ${result.failure.message}` : "taken"
      }
      const nothing = () => {}
      expect(refused(nothing)).toBe("taken")
      expect(refused((p) => (p.version = 2))).toMatch(/^MalformedFile n: has a program that does not fit/)
      expect(refused((p) => (p.steps[0].operation.op = "explode"))).toMatch(/does not fit/)
      expect(refused((p) => (p.steps[0].operation.lie.kernel = [1e9, 1]))).toMatch(/does not fit/)
      expect(refused((p) => (p.steps[0].inputs = ["nobody"]))).toMatch(/uses "nobody" before it is there, at "conv1"/)
      expect(refused((p) => (p.steps[1].output = "conv1"))).toMatch(/makes "conv1" twice/)
      expect(refused((p) => (p.output.name = "nothing"))).toMatch(/what the integers of "nothing" mean/)
      expect(refused((p) => delete p.meanings.conv1)).toMatch(/what the integers of "conv1" mean/)
      expect(refused((p) => (p.steps[0].operation.lie.kernel = [2, 3]))).toMatch(/of another size than the weight/)
      expect(refused((p) => (p.steps[0].operation.lie.strides = [1]))).toMatch(/several ranks/)
      expect(refused((p) => (p.meanings.conv1.high = 3))).toMatch(/"conv1" lies from -\d+ to 3, and it can be from/)
      expect(refused((p) => (p.meanings[p.input.name].high = 2 ** 40))).toMatch(/lies from|32 bits/)
      expect(refused((p) => (p.meanings.conv1.scale = []))).toMatch(/does not fit/)
      const { "conv1.weight": weight, ...lacking } = tensors
      expect(refused(nothing, lacking)).toMatch(/lacks the tensor "conv1\.weight"/)
      const floats = { ...(weight as Stored.Stored), dtype: "U8" as const }
      expect(refused(nothing, { ...tensors, "conv1.weight": floats })).toMatch(/no integers in "conv1\.weight", but U8/)
      const flat = { ...(weight as Stored.Stored), shape: [(weight as Stored.Stored).data.length] }
      expect(refused(nothing, { ...tensors, "conv1.weight": flat })).toMatch(/a weight of 1 axes/)
      const large = { ...(weight as Stored.Stored), data: (weight as Stored.Stored).data.map(() => 127) }
      expect(refused(nothing, { ...tensors, "conv1.weight": large })).toMatch(/"conv1" lies from/)
      const other = IntegerNetwork.decode(Safetensors.encode(tensors), "n")
      expect(Result.isFailure(other) && other.failure.message).toMatch(/no network of integers: it has no text/)
    })
  )

  scoped("keeps thresholds, which have to fit and to be in order", () =>
    Effect.gen(function* () {
      const sign = yield* Activation.quantIdentity({ actQuant: Binary.SignedBinaryActPerTensorConst })
      const model = Model.sequential({
        centre: Model.stateless("Centre", (x) => tf.sub(tf.mul(x, 2), 0.5), { op: "affine", factor: 2, offset: -0.5 }),
        sign,
        fc: yield* Linear.quantLinear({ inFeatures: 8, outFeatures: 6, hasBias: false }),
        norm: yield* Normalization.batchNorm({ channels: 6 }),
        act: yield* Activation.quantReLU({ act: { bitWidth: 3 } })
      })
      yield* Networks.train(model, [4, 8], 6)
      const network = yield* IntegerNetwork.of(model, [4, 8])
      const bytes = IntegerNetwork.encode(network)
      expect(yield* Effect.fromResult(IntegerNetwork.decode(bytes))).toEqual(network)
      expect(network.input).toMatchObject({ grid: { kind: "binary" }, before: [{ factor: 2, offset: -0.5 }] })
      const { tensors, metadata } = yield* Effect.fromResult(Safetensors.decode(bytes))
      const program = metadata["breve.integers"] as string
      const refused = (change: (program: Program) => void, others: Stored.Tensors = tensors) => {
        const changed: Program = JSON.parse(program)
        change(changed)
        const result = IntegerNetwork.decode(
          Safetensors.encode(others, { "breve.integers": JSON.stringify(changed) }),
          "n"
        )
        return Result.isFailure(result) ? result.failure.message : "taken"
      }
      const at = Object.keys(tensors).find((name) => name.endsWith(".thresholds")) as string
      const thresholds = tensors[at] as Stored.Stored
      expect(refused(() => {})).toBe("taken")
      expect(refused((p) => (p.steps[1].operation.high = 8))).toMatch(/has thresholds \[6, 7\] at/)
      expect(refused((p) => (p.steps[1].operation.signs = [1, 1]))).toMatch(/has thresholds \[6, 7\] at/)
      expect(refused((p) => (p.steps[1].operation.signs[0] = 0))).toMatch(/does not fit/)
      const reversed = { ...thresholds, data: thresholds.data.toReversed() }
      expect(refused(() => {}, { ...tensors, [at]: reversed })).toMatch(/out of order/)
    })
  )

  scoped("is read or refused, whatever bytes change", () =>
    Effect.gen(function* () {
      const network = yield* IntegerNetwork.of(yield* Networks.mlp(4), Networks.mlpShape)
      const bytes = IntegerNetwork.encode(network)
      const places = Random.uniform(Random.make(5), 600, 0, bytes.length)
      const values = Random.uniform(Random.make(6), 600, 0, 256)
      const found = { read: 0, refused: 0 }
      for (let i = 0; i < 600; i++) {
        const changed = bytes.with(Math.floor(places[i] as number), Math.floor(values[i] as number))
        const result = IntegerNetwork.decode(
          i % 5 === 0 ? changed.subarray(0, Math.floor(places[i] as number)) : changed
        )
        if (Result.isFailure(result)) found.refused += 1
        else {
          found.read += 1
          // what is taken can be run
          yield* IntegerNetwork.run(result.success, new Float32Array(20))
        }
      }
      expect(found.read).toBeGreaterThan(20)
      expect(found.refused).toBeGreaterThan(200)
    })
  )
})

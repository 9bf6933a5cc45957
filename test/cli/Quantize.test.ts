/** Quantize.ts: what `breve quantize` prints and writes, that its state comes back, and what it says of wrong recipes. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Terminal } from "effect"
import { Command } from "effect/cli"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Digits from "../../src/cli/Digits.ts"
import * as Export from "../../src/cli/Export.ts"
import * as Folder from "../../src/cli/Folder.ts"
import * as Networks from "../../src/cli/Networks.ts"
import * as NodeLayer from "../../src/cli/Node.ts"
import * as Quantize from "../../src/cli/Quantize.ts"
import * as Quantizing from "../../src/cli/Quantizing.ts"
import * as Saved from "../../src/cli/Saved.ts"
import * as Verify from "../../src/cli/Verify.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as State from "../../src/nn/State.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"

const command = Command.runWith(Quantize.command, { version: "0" })

const printed = (args: ReadonlyArray<string>): Promise<string> => {
  const shown: Array<string> = []
  return Effect.runPromise(
    command(args).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({
        ...terminal,
        display: (text: string) => Effect.sync(() => void shown.push(text))
      })),
      Effect.provide(NodeLayer.layer),
      Effect.map(() => shown.join(""))
    )
  )
}
const failure = (args: ReadonlyArray<string>) =>
  Effect.runPromise(Effect.flip(command(args)).pipe(Effect.provide(NodeLayer.layer)))

const place = { root: "" }
const at = (...parts: ReadonlyArray<string>): string => join(place.root, ...parts)

/** An IDX file of unsigned bytes. */
const idx = (shape: ReadonlyArray<number>, data: Uint8Array): Uint8Array => {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length))
  header.setUint32(0, 0x0800 + shape.length)
  shape.forEach((size, i) => {
    header.setUint32(4 + 4 * i, size)
  })
  return Uint8Array.from([...new Uint8Array(header.buffer), ...data])
}

const withBackend = <A, E>(effect: Effect.Effect<A, E, Backend.Backend>) =>
  Effect.runPromise(Effect.provide(effect, Backend.layer))

beforeAll(async () => {
  place.root = await mkdtemp(join(tmpdir(), "breve-quantize-"))
  await mkdir(at("digits"))
  const { images, labels, count } = Digits.make(1, 250)
  await writeFile(at("digits", "t10k-images-idx3-ubyte"), idx([count, 28, 28], images))
  await writeFile(at("digits", "t10k-labels-idx1-ubyte"), idx([count], labels))
  const state = await withBackend(
    Effect.scoped(
      Effect.gen(function* () {
        yield* Backend.Backend
        const { make } = yield* Networks.find("cnn-float")
        return yield* State.extract(yield* make({ height: 28, width: 28 }, 3))
      })
    )
  )
  await writeFile(at("cnn.safetensors"), Saved.encode("cnn-float", { height: 28, width: 28 }, state))
})
afterAll(() => rm(place.root, { recursive: true, force: true }))

const quantize = (recipe: string, out: string): ReadonlyArray<string> => [
  ...["--model", at("cnn.safetensors"), "--data", at("digits"), "--recipe", recipe],
  ...["--out", at(out)]
]

/** Reads the state that was written, and extracts it again. */
const readBack = (file: string) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(
        Effect.gen(function* () {
          const { model, network } = yield* Saved.read(file)
          return {
            name: network.name,
            bytes: Saved.encode("x", { height: 28, width: 28 }, yield* State.extract(model))
          }
        })
      )
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer), Effect.provide(NodeLayer.layer))
  )

/** A network quantized by a recipe as the command does it, written to a file and read again: what both answer. */
const readAgain = (network: string, recipe: Recipe.Recipe, file: string) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        yield* Backend.Backend
        const image = { height: 28, width: 28 }
        const found = yield* Networks.find(network)
        const { train, test } = Folder.split(Digits.make(1, 250))
        const calibration = { samples: 64, batchSize: 32 }
        const model = yield* found.make(image, 3)
        const result = yield* Quantizing.run({
          network: found,
          image,
          model,
          recipe: { ...recipe, calibration },
          train,
          test
        })
        const quantized = { recipe, structure: result.structure }
        const state = yield* State.extract(result.model)
        yield* Effect.promise(() => writeFile(file, Saved.encode(result.network.name, image, state, quantized)))
        const read = yield* Saved.read(file)
        const answers = (one: Layer.Layer) =>
          Effect.gen(function* () {
            const { input } = found
              .source(test)
              .batch(Uint32Array.of(0, 1, 2, 3))
              .tensors()
            const y = yield* Layer.forward(one, input)
            return Layer.tensorsIn(y).map((tensor) => [...tensor.dataSync()])
          })
        const changes = result.structure.map(({ change }) => change)
        return { changes, before: yield* answers(result.model), after: yield* answers(read.model) }
      })
    ).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({ ...terminal, display: () => Effect.void })),
      Effect.provide(Backend.layer),
      Effect.provide(NodeLayer.layer)
    )
  )

const exporting = Command.runWith(Export.command, { version: "0" })
const verifying = Command.runWith(Verify.command, { version: "0" })
const told = <E>(run: Effect.Effect<void, E, Effect.Services<ReturnType<typeof exporting>>>): Promise<string> => {
  const shown: Array<string> = []
  return Effect.runPromise(
    run.pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({
        ...terminal,
        display: (text: string) => Effect.sync(() => void shown.push(text))
      })),
      Effect.provide(NodeLayer.layer),
      Effect.map(() => shown.join(""))
    )
  )
}

const perChannel: Recipe.Recipe["quantizers"][number] = {
  match: "*weightQuant",
  quantizer: "Int8WeightPerChannelFloat",
  options: { bitWidth: 4, scalingImplType: "parameterFromStats" }
}
/** A bias on the scale of its products cannot be told it where something stands before the layer. */
const floatBias: Recipe.Recipe["quantizers"][number] = { match: "*biasQuant", quantizer: null }

describe("what a recipe has made", () => {
  const bias = { step: "biasCorrection" }
  interface Case {
    readonly network: string
    readonly quantizers?: Recipe.Recipe["quantizers"]
    readonly steps?: Recipe.Recipe["steps"]
    readonly changes: string
    /** the layer by which it is no network of integers, so that its file is compared in floats */
    readonly floats?: string
  }
  const cases: Readonly<Record<string, Case>> = {
    nothing: { network: "cnn-float", changes: "" },
    "quantizers alone": { network: "cnn-float", quantizers: [perChannel], changes: "quantizers" },
    "split channels": {
      network: "cnn-float",
      quantizers: [perChannel],
      steps: [{ step: "splitChannels", options: { ratio: 0.1 } }, bias],
      changes: "quantizers, parameters"
    },
    "scales before layers": {
      network: "cnn-float",
      quantizers: [perChannel, floatBias],
      steps: [{ step: "activationEqualizeLayerwise" }],
      changes: "quantizers, scaleBefore, parameters",
      floats: "conv1.scale (QuantScaleBias)"
    },
    branches: {
      network: "mlp-float",
      quantizers: [perChannel],
      steps: [{ step: "lowRank", options: { rank: 4 } }, { step: "gptq" }],
      changes: "quantizers, branch, parameters",
      floats: "fc1.down (QuantLinear)"
    },
    "branches after rounding": {
      network: "mlp-float",
      quantizers: [perChannel],
      steps: [{ step: "gptq" }, { step: "lowRank", options: { rank: 4 } }],
      changes: "quantizers, branch, parameters",
      floats: "fc1.down (QuantLinear)"
    },
    rotations: {
      network: "mlp-float",
      quantizers: [perChannel, floatBias],
      steps: [{ step: "rotateOnline", options: { layers: ["fc2"] } }],
      changes: "quantizers, rotation, parameters",
      floats: "fc1 (QuantLinear)"
    },
    "merged normalizations": {
      network: "tfc-2w2a",
      steps: [{ step: "mergeBatchNorm" }, bias],
      changes: "identity, parameters",
      floats: "fc1 (QuantLinear)"
    }
  }
  it.each(Object.entries(cases))(
    "%s: is read back, exported and verified",
    async (_, given) => {
      const { network, quantizers = [], steps = [], changes, floats } = given
      const file = at("again.safetensors")
      const recipe: Recipe.Recipe = { name: "mine", quantizers, steps: [...steps, { step: "calibrate" }] }
      const answer = await readAgain(network, recipe, file)
      expect(answer.changes.join(", ")).toBe(changes)
      expect(answer.after).toEqual(answer.before)
      expect(await told(exporting([file, "--out", at("again.onnx")]))).toContain("written to")
      const said = await told(verifying([at("again.onnx"), "--state", file, "--inputs", "20"]))
      expect(said).toMatch(/^certified$/m)
      if (floats === undefined) expect(said).not.toContain("no integers")
      else expect(said).toContain(`no integers: ${floats}`)
    },
    60_000
  )
})

describe("breve quantize", () => {
  it("writes state, recipe, ONNX file, certificate and report, the same ones each time", async () => {
    const said = await printed(quantize("int4-gptq", "a"))
    expect(said).toMatch(/^after +accuracy \(%\) +output SNR \(dB\) +changed$/m)
    for (const name of ["float", "quantize", "calibrate", "gptq", "biasCorrection"])
      expect(said).toMatch(new RegExp(`^${name} +[\\d.]+ +(∞|[\\d.]+) +(–|\\d)$`, "m"))
    expect(said).toContain("cnn-float-int4-gptq.onnx: certified on 50 images")
    const names = ["certificate.json", "html", "onnx", "recipe.json", "safetensors"].map(
      (e) => `cnn-float-int4-gptq.${e}`
    )
    expect((await readdir(at("a"))).toSorted()).toEqual(names)
    const certificate = JSON.parse(await readFile(at("a", names[0] as string), "utf8"))
    expect(certificate.certified).toBe(true)
    // weights of four bits take half a byte: 52,138 of them, in float32 four bytes each
    expect(certificate.model).toMatchObject({ opset: 21 })
    expect(certificate.model.bytes).toBeLessThan(52_138)
    const page = await readFile(at("a", names[1] as string), "utf8")
    for (const text of ["Sensitivity", "<svg", "Certified", "&quot;actOrder&quot;", "gptq"].map((t) =>
      t.replaceAll("&quot;", "&#34;")
    ))
      expect(page).toContain(text)
    // the recipe that was written is followed to the same bits
    await printed(quantize(at("a", names[3] as string), "b"))
    for (const name of names.filter((one) => !one.endsWith("html")))
      expect(await readFile(at("b", name))).toEqual(await readFile(at("a", name)))
    const { name, bytes } = await readBack(at("a", names[4] as string))
    expect(name).toBe("cnn-int8")
    const again = await readBack(at("b", names[4] as string))
    expect(again.bytes).toEqual(bytes)
  }, 60_000)
  it("says honestly what needs training", async () => {
    const binary = await printed(quantize("binary", "c"))
    expect(binary).toContain("This recipe needs training on: one bit leaves little")
  }, 60_000)
  it("writes QONNX where QCDQ cannot say it, certified in the evaluator, and says why", async () => {
    const said = await printed(quantize("mx-fp4", "d"))
    expect(said).toContain("cnn-float-mx-fp4.qonnx.onnx: certified on 20 images")
    expect(said).toContain("in QONNX: conv1 (QuantConv2d) cannot be exported as QCDQ")
    expect((await readdir(at("d"))).toSorted()).toEqual(
      ["html", "qonnx.certificate.json", "qonnx.onnx", "recipe.json", "safetensors"].map((e) => `cnn-float-mx-fp4.${e}`)
    )
    const certificate = JSON.parse(await readFile(at("d", "cnn-float-mx-fp4.qonnx.certificate.json"), "utf8"))
    expect(certificate).toMatchObject({
      certified: true,
      model: { file: "cnn-float-mx-fp4.qonnx.onnx", dialect: "QONNX" },
      runtime: { name: "breve's evaluator" },
      inputs: { count: 20 }
    })
    const page = await readFile(at("d", "cnn-float-mx-fp4.html"), "utf8")
    expect(page).toContain("<strong>Certified</strong>: cnn-float-mx-fp4.qonnx.onnx")
    expect(page).toContain(
      "It is in QONNX, whose nodes not every runtime knows: conv1 (QuantConv2d) cannot be exported as QCDQ"
    )
    expect((await readBack(at("d", "cnn-float-mx-fp4.safetensors"))).name).toBe("cnn-int8")
    // the command that checks files finds the state beside it
    expect(await told(verifying([at("d", "cnn-float-mx-fp4.qonnx.onnx"), "--inputs", "5"]))).toMatch(/^certified$/m)
  }, 60_000)
  it("says why there is no file where no dialect can say it", async () => {
    const moving: Recipe.Recipe = {
      name: "moving",
      quantizers: [
        { match: "*actQuant", quantizer: "Int8DynamicActPerTensorFloat" },
        { match: "*biasQuant", quantizer: null, optional: true }
      ],
      steps: []
    }
    await writeFile(at("moving.json"), Recipe.encode(moving))
    expect(await printed(quantize(at("moving.json"), "f"))).toMatch(
      /^no ONNX file: .* cannot be exported as QONNX: .*depends on its input/m
    )
    expect((await readdir(at("f"))).filter((name) => name.includes("onnx"))).toEqual([])
    expect(await readFile(at("f", "cnn-float-moving.html"), "utf8")).toContain("No ONNX file was written")
  }, 60_000)
  it("refuses wrong recipes and states, and writes nothing", async () => {
    expect(await failure(quantize("int4-gtpq", "e"))).toMatchObject({ _tag: "InvalidRecipe", nearest: "int4-gptq" })
    const wrong: Recipe.Recipe = { name: "mine", quantizers: [{ match: "conv3*", quantizer: null }], steps: [] }
    await writeFile(at("mine.json"), Recipe.encode(wrong))
    expect(await failure(quantize(at("mine.json"), "e"))).toMatchObject({
      _tag: "InvalidRecipe",
      place: "quantizers[0].match"
    })
    const other = ["--model", at("nothing.safetensors"), "--out", at("e")]
    expect(await failure(other)).toMatchObject({ _tag: "MalformedFile" })
    expect(await readdir(place.root)).not.toContain("e")
  })
})

/** Export.ts, Verify.ts, Shipped.ts: a trained network becomes files that are verified, and every wrong one is refused. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result, Terminal } from "effect"
import { Command } from "effect/cli"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Export from "../../src/cli/Export.ts"
import * as Networks from "../../src/cli/Networks.ts"
import * as NodeLayer from "../../src/cli/Node.ts"
import * as Saved from "../../src/cli/Saved.ts"
import * as Shipped from "../../src/cli/Shipped.ts"
import * as Train from "../../src/cli/Train.ts"
import * as Verify from "../../src/cli/Verify.ts"
import type { Certificate } from "../../src/exchange/Certificate.ts"
import * as IntegerNetwork from "../../src/exchange/IntegerNetwork.ts"
import * as OnnxEvaluator from "../../src/exchange/OnnxEvaluator.ts"
import * as OnnxProto from "../../src/exchange/OnnxProto.ts"
import * as OnnxRuntime from "../../src/exchange/OnnxRuntime.ts"
import * as State from "../../src/nn/State.ts"

const breve = Command.runWith(
  Command.make("breve").pipe(Command.withSubcommands([Train.command, Export.command, Verify.command])),
  { version: "0" }
)
const state = { root: "", said: "" }
const at = (...names: ReadonlyArray<string>): string => join(state.root, ...names)

/** What a command prints; `failure`: how it fails. */
const printed = (...args: ReadonlyArray<string>): Promise<string> => {
  const shown: Array<string> = []
  return Effect.runPromise(
    breve(args).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({
        ...terminal,
        display: (text: string) => Effect.sync(() => void shown.push(text))
      })),
      Effect.provide(NodeLayer.layer),
      Effect.map(() => shown.join(""))
    )
  )
}
const failure = async (...args: ReadonlyArray<string>): Promise<string> => {
  const error = (await Effect.runPromise(
    Effect.flip(breve(args)).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({ ...terminal, display: () => Effect.void })),
      Effect.provide(NodeLayer.layer)
    )
  )) as Error & { readonly _tag: string }
  return `${error._tag}: ${error.message}`
}
const certificateAt = async (...names: ReadonlyArray<string>): Promise<Certificate> =>
  JSON.parse(await readFile(at(...names), "utf8"))

beforeAll(async () => {
  state.root = await mkdtemp(join(tmpdir(), "breve-export-"))
  state.said = await printed(
    "train",
    "--network",
    "mlp-int4",
    "--network",
    "mlp-int8",
    "--epochs",
    "1",
    "--out",
    at("out")
  )
}, 60_000)
afterAll(() => rm(state.root, { recursive: true, force: true }))

describe("a trained network", () => {
  it("is exported and certified", async () => {
    expect(state.said).toMatch(/^mlp-int4 exported +1\/1 {2}certified$/m)
    expect(state.said).toMatch(
      /^mlp-int4\.onnx +onnxruntime-web 1\.30\.0 +the file +\d+ \/ 5000 +\d+ +(none|\d+ \/ \d+) +500 \/ 500 +certified$/m
    )
    expect(state.said).toMatch(/^mlp-int4 +438\.\d kB \(gzip [\d.]+\) +113\.\d kB .* 58\.\d kB .* 440\.\d kB/m)
    expect(state.said).toMatch(/^mlp-int8 +\d+\.\d+ ms +\d+\.\d+ ms +\d+\.\d × as (fast|slow)$/m)
    const { certified, model, comparisons } = await certificateAt("out", "mlp-int4.certificate.json")
    expect([certified, model.opset, model.file]).toEqual([true, 21, "mlp-int4.onnx"])
    expect(comparisons.map(({ outputs }) => outputs)).toEqual([5000, 5000])
    expect(comparisons.flatMap(({ unexplained }) => unexplained)).toEqual([])
  })

  it("is exported from its state with the same bytes", async () => {
    const said = await printed("export", at("out", "mlp-int4.safetensors"), "--out", at("again", "x.onnx"))
    expect(said).toMatch(/^written to .*x\.onnx: 58\.\d kB \(gzip [\d.]+\), SHA-256 [0-9a-f]{64}$/m)
    expect(await readFile(at("again", "x.onnx"))).toEqual(await readFile(at("out", "mlp-int4.onnx")))
    await printed("export", at("out", "mlp-int4.safetensors"), "--format", "qonnx", "--out", at("again", "q.onnx"))
    expect(await readFile(at("again", "q.onnx"))).toEqual(await readFile(at("out", "mlp-int4.qonnx.onnx")))
    await printed("export", at("out", "mlp-float.safetensors"), "--format", "float", "--out", at("again", "f.onnx"))
    expect(await readFile(at("again", "f.onnx"))).toEqual(await readFile(at("out", "mlp-float.onnx")))
    await printed("export", at("out", "mlp-int4.safetensors"), "--format", "integers", "--out", at("again", "i"))
    const network = Result.getOrThrow(IntegerNetwork.decode(await readFile(at("again", "i"))))
    expect(network.accumulators.map(({ layer }) => layer)).toEqual(["fc1", "fc2", "fc3"])
    const wide = await printed(
      "export",
      at("out", "mlp-int4.safetensors"),
      "--opset",
      "13",
      "--out",
      at("again", "w.onnx")
    )
    expect(wide).toMatch(/: 113\.\d kB/)
  })

  it("is verified on images of a folder, or on drawn ones, and the certificate is written beside it", async () => {
    await mkdir(at("beside"))
    await writeFile(at("beside", "m.onnx"), await readFile(at("out", "mlp-int8.onnx")))
    const from = ["--state", at("out", "mlp-int8.safetensors")]
    const said = await printed("verify", at("beside", "m.onnx"), ...from, "--inputs", "30")
    expect(said).toMatch(/^m\.onnx {2}QCDQ, opset 13, 113\d\d\d bytes, SHA-256 [0-9a-f]{64}$/m)
    expect(said).toMatch(/^the file in the runtime and the integers +\d+ \/ 300 .* 30 \/ 30$/m)
    expect(said).toMatch(/^certified$/m)
    expect((await certificateAt("beside", "m.certificate.json")).inputs.count).toBe(30)
    const general = await printed("verify", at("out", "mlp-int8.qonnx.onnx"), "--inputs", "20")
    expect(general).toMatch(
      /^mlp-int8\.qonnx\.onnx {2}QONNX, opset 14[\s\S]*run in breve's evaluator[\s\S]*^certified$/m
    )
    // a state of the same name beside the file needs no telling
    expect(await printed("verify", at("out", "mlp-int8.onnx"), "--inputs", "5")).toMatch(/^certified$/m)
  })

  it("is not written where the file was exported from another state; the one that was given before stays", async () => {
    const [file, from] = [at("out", "mlp-int4.onnx"), at("out", "mlp-int8.safetensors")]
    const before = await readFile(at("out", "mlp-int4.certificate.json"), "utf8")
    expect(await failure("verify", file, "--state", from, "--inputs", "20")).toMatch(
      /^OtherState: mlp-int4\.onnx was exported from another state than .*mlp-int8\.safetensors: .*--state FILE.*export it again/
    )
    expect(await readFile(at("out", "mlp-int4.certificate.json"), "utf8")).toBe(before)
    expect(JSON.parse(before).certified).toBe(true)
  })

  it("is not certified where a weight of the file was changed, and exits as a failure", async () => {
    const read = await Effect.runPromise(OnnxProto.decode(await readFile(at("out", "mlp-int8.onnx"))))
    const initializer = read.graph.initializer.map((tensor) =>
      tensor.rawData.length > 1000 ? { ...tensor, rawData: tensor.rawData.map((byte) => byte ^ 64) } : tensor
    )
    await mkdir(at("damaged"), { recursive: true })
    await writeFile(
      at("damaged", "mlp-int8.onnx"),
      OnnxProto.encode({ ...read, graph: { ...read.graph, initializer } })
    )
    const from = ["--state", at("out", "mlp-int8.safetensors"), "--inputs", "20"]
    expect(await failure("verify", at("damaged", "mlp-int8.onnx"), ...from)).toMatch(
      /^NotCertified: mlp-int8\.onnx is not certified: of 20 inputs \d+ have answers that no tie explains; export it again/
    )
    const { certified, comparisons } = await certificateAt("damaged", "mlp-int8.certificate.json")
    expect(certified).toBe(false)
    expect(comparisons[1]?.unexplained).toEqual([])
  })
})

describe("what cannot be exported or verified", () => {
  it.each([
    [["export", "nowhere.safetensors"], /^MalformedFile: .*nowhere\.safetensors: no such file/],
    [["export", "out/mlp-int4.onnx"], /^MalformedFile: .*mlp-int4\.onnx: is not a safetensors file/],
    [["export", "out/mlp-int4.safetensors", "--network", "cnn-int4"], /^ForeignState: .*says that it is of mlp-int4/],
    [
      ["export", "out/mlp-int4.safetensors", "--opset", "22"],
      /^InvalidOptions: .*"opset" has to be from 13 to 21, not 22/
    ],
    [
      ["verify", "nowhere.onnx", "--state", "out/mlp-int4.safetensors"],
      /^MalformedFile: .*nowhere\.onnx: no such file/
    ],
    [["verify", "out/mlp-int8.onnx", "--state", "nowhere"], /^MalformedFile: .*nowhere: no such file/],
    [["verify", "out/report.html", "--state", "out/mlp-int8.safetensors"], /^MalformedFile: .*is no ONNX model/],
    [["verify", "out/mlp-int8.onnx", "--inputs", "0"], /^InvalidOptions: .*"inputs" has to be 1 or more/],
    [["verify", "out/mlp-int8.onnx", "--tie", "0.5"], /^InvalidOptions: .*"tie" has to be from 0 to below 0\.5/],
    [["verify", "out/mlp-int8.onnx", "--data", "empty"], /^MalformedFile: .*empty: holds no digits/],
    [["verify", "out/mlp-int8.onnx", "--data", "nowhere"], /^MalformedFile: .*nowhere: no such folder/]
  ] as const)("breve %s: says what, where and the repair, and writes nothing", async (args, message) => {
    await mkdir(at("empty"), { recursive: true })
    const before = [await readdir(state.root), await readdir(at("out"))]
    const [command, ...others] = args
    const said = await failure(command, ...others.map((arg) => (/^(out\/|nowhere|empty)/.test(arg) ? at(arg) : arg)))
    expect(said).toMatch(message)
    expect([await readdir(state.root), await readdir(at("out"))]).toEqual(before)
  })

  it("keeps to the opset in which small weights are packed", async () => {
    const opsets = await Promise.all(
      ["mlp-int8", "cnn-int4", "mlp-binary", "cnv-1w1a"].map((name) =>
        Effect.runPromise(Effect.map(Networks.find(name), Shipped.opsetOf))
      )
    )
    expect(opsets).toEqual([13, 21, 21, 13])
  })
})

describe("a network of small widths", () => {
  it.each(["tfc-1w1a", "cnv-1w2a", "sfc-2w2a"])(
    "%s is exported as ONNX of both dialects and as integers, which agree",
    async (name) => {
      const tensors = await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const { make } = yield* Networks.find(name)
            return yield* State.extract(yield* make({ height: 28, width: 28 }, 1))
          })
        ).pipe(Effect.provide(Backend.layer))
      )
      await writeFile(at(`${name}.safetensors`), Saved.encode(name, { height: 28, width: 28 }, tensors))
      await printed("export", at(`${name}.safetensors`))
      await printed("export", at(`${name}.safetensors`), "--format", "qonnx")
      const answers = await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const x = {
              shape: [3, 1, 28, 28],
              data: Float32Array.from({ length: 3 * 784 }, (_, i) => Math.abs(Math.sin(i)))
            }
            const run = (file: string) =>
              Effect.gen(function* () {
                const runtime = yield* OnnxRuntime.OnnxRuntime
                const session = yield* runtime.open(yield* Effect.promise(() => readFile(at(file))))
                return (yield* session.run(x)).data
              })
            return [
              yield* Effect.provide(run(`${name}.onnx`), OnnxRuntime.layer),
              yield* Effect.provide(run(`${name}.qonnx.onnx`), OnnxEvaluator.layer)
            ] as const
          })
        )
      )
      for (const [i, value] of answers[0].entries()) expect(value).toBeCloseTo(answers[1][i] as number, 3)
      await printed("export", at(`${name}.safetensors`), "--format", "integers")
      const bytes = await readFile(at(`${name}.integers.safetensors`))
      const { steps } = Effect.runSync(Effect.fromResult(IntegerNetwork.decode(bytes)))
      // nothing is rescaled: activations are comparisons
      const operations = new Set(steps.map(({ operation }) => operation.op))
      expect(
        [...operations].filter((op) => !["conv", "linear", "maxPool", "flatten", "thresholds"].includes(op))
      ).toEqual([])
      for (const file of [`${name}.onnx`, `${name}.qonnx.onnx`]) {
        const said = await printed("verify", at(file), "--state", at(`${name}.safetensors`), "--inputs", "12")
        expect(said).toMatch(/integers from -\d+ to \d+/)
        expect(said).toMatch(/^certified$/m)
      }
    }
  )
})

/** Train.ts: what `breve train` prints and writes, and what it says of wrong options. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Terminal } from "effect"
import { Command } from "effect/cli"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Digits from "../../src/cli/Digits.ts"
import * as NodeLayer from "../../src/cli/Node.ts"
import * as Train from "../../src/cli/Train.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"

const command = Command.runWith(Train.command, { version: "0" })

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

const state = { root: "" }
const at = (...parts: ReadonlyArray<string>): string => join(state.root, ...parts)

/** An IDX file of unsigned bytes. */
const idx = (shape: ReadonlyArray<number>, data: Uint8Array): Uint8Array => {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length))
  header.setUint32(0, 0x0800 + shape.length)
  shape.forEach((size, i) => {
    header.setUint32(4 + 4 * i, size)
  })
  return Uint8Array.from([...new Uint8Array(header.buffer), ...data])
}

beforeAll(async () => {
  state.root = await mkdtemp(join(tmpdir(), "breve-test-"))
  await mkdir(at("digits"))
  await mkdir(at("nothing"))
  const { images, labels, count } = Digits.make(1, 250)
  await writeFile(at("digits", "t10k-images-idx3-ubyte"), idx([count, 28, 28], images))
  await writeFile(at("digits", "t10k-labels-idx1-ubyte"), idx([count], labels))
})
afterAll(() => rm(state.root, { recursive: true, force: true }))

describe("breve train --network", () => {
  it("trains the networks, shows how good they became, and writes their states", async () => {
    const networks = ["--network", "tfc-1w1a", "--network", "TFC-2w2a", "--network", "tfc-1w1a"]
    const said = await printed([...networks, "--epochs", "2", "--data", at("digits"), "--out", at("out")])
    expect(said).toMatch(/^tfc-1w1a +4\/4 {2}loss \d\.\d{3} {2}[\d.]+ %, best [\d.]+ %$/m)
    expect(said).toMatch(/^network +best accuracy +in epoch +last accuracy +s per epoch$/m)
    expect(said.match(/^tfc-[12]w[12]a +[\d.]+ % +[12] +[\d.]+ % +[\d.]+$/gm)).toHaveLength(2)
    const files = (await readdir(at("out"))).sort()
    expect(files).toEqual(["tfc-1w1a.csv", "tfc-1w1a.safetensors", "tfc-2w2a.csv", "tfc-2w2a.safetensors"])
    const [header, ...lines] = (await readFile(at("out", "tfc-2w2a.csv"), "utf8")).trimEnd().split("\n")
    expect(header).toBe("epoch,loss,accuracy,seconds")
    expect(lines.map((line) => line.split(",")[0])).toEqual(["1", "2"])
    const bytes = await readFile(at("out", "tfc-2w2a.safetensors"))
    const { tensors } = await Effect.runPromise(Effect.fromResult(Safetensors.decode(bytes, "tfc-2w2a.safetensors")))
    expect(tensors["fc1.weight"]?.shape).toEqual([784, 64])
    expect(tensors["norm.runningVar"]?.shape).toEqual([1])
  })
})

describe("breve train", () => {
  it("compares the quantizers that it is told", async () => {
    const options = ["--quantizer", "int4", "--epochs", "1", "--data", at("digits"), "--out", at("compared")]
    const said = await printed(options)
    expect(said).toMatch(/^network +accuracy +after fine-tuning +weight bytes +ms per step$/m)
    expect(said.match(/^(mlp|cnn)-(float|int4) .*%/gm)).toHaveLength(4)
    const files = (await readdir(at("compared"))).sort()
    expect(files).toEqual([
      "cnn-float.onnx",
      "cnn-float.safetensors",
      "cnn-int4.certificate.json",
      "cnn-int4.onnx",
      "cnn-int4.qonnx.certificate.json",
      "cnn-int4.qonnx.onnx",
      "cnn-int4.safetensors",
      "mlp-float.onnx",
      "mlp-float.safetensors",
      "mlp-int4.certificate.json",
      "mlp-int4.onnx",
      "mlp-int4.qonnx.certificate.json",
      "mlp-int4.qonnx.onnx",
      "mlp-int4.safetensors",
      "report.html"
    ])
  })

  it.each([
    [["--network", "tfc-1w3a"], "UnknownNetwork", /unknown network "tfc-1w3a"; did you mean "tfc-1w[12]a"\?/],
    [["--quantizer", "in8"], "UnknownQuantizer", /unknown quantizer "in8"; did you mean "int8"\?/],
    [["--network", "tfc-1w1a", "--quantizer", "int8"], "InvalidOptions", /"quantizer" has no use with --network/],
    [
      ["--network", "tfc-1w1a", "--network", "mlp-int8"],
      "InvalidOptions",
      /"network" names networks that are trained in/
    ],
    [["--network", "tfc-1w1a", "--epochs", "0"], "InvalidOptions", /"epochs" has to be 1 or more, not 0/],
    [["--epochs", "-3"], "InvalidOptions", /"epochs" has to be 1 or more, not -3/]
  ] as const)("refuses %s before anything is read or written", async (args, tag, message) => {
    const error = await failure([...args, "--data", at("nowhere"), "--out", at("unwritten")])
    expect(error).toMatchObject({ _tag: tag })
    expect(`${(error as Error).message}`).toMatch(message)
    expect(await readdir(state.root)).not.toContain("unwritten")
  })

  it.each([
    ["nowhere", /nowhere: no such folder/],
    ["nothing", /nothing: holds no digits; expected train- or t10k-/]
  ])("says what is wrong with the data folder %s", async (folder, message) => {
    const error = await failure(["--network", "tfc-1w1a", "--data", at(folder), "--out", at("unwritten")])
    expect(error).toMatchObject({ _tag: "MalformedFile" })
    expect((error as Error).message).toMatch(message)
    expect(await readdir(state.root)).not.toContain("unwritten")
  })
})

/** Laws.ts: what `breve laws` prints, of the catalogue and of files, and how it fails. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Exit, Terminal } from "effect"
import { Command } from "effect/cli"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Laws from "../../src/cli/Laws.ts"
import * as NodeLayer from "../../src/cli/Node.ts"

const run = Command.runWith(Laws.command, { version: "0" })
const outcome = async (args: ReadonlyArray<string>) => {
  const shown: Array<string> = []
  const exit = await Effect.runPromiseExit(
    run(args).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({
        ...terminal,
        display: (text: string) => Effect.sync(() => void shown.push(text))
      })),
      Effect.provide(NodeLayer.layer)
    )
  )
  return { text: shown.join(""), line: NodeLayer.describe(exit), succeeded: Exit.isSuccess(exit) }
}

const place = { folder: "" }
const index = new URL("../../src/index.ts", import.meta.url).href
const files: Readonly<Record<string, string>> = {
  "good.ts": `
    import { Injector, ScaledInt } from "${index}"
    export const Int4 = Injector.let(ScaledInt.Int8WeightPerTensorFloat, { bitWidth: 4 })`,
  "broken.ts": `
    import { Injector, Rounding, ScaledInt } from "${index}"
    import * as tf from "@tensorflow/tfjs-core"
    const Upwards = Injector.component("RoundSte", {}, () => {
      const honest = Rounding.RoundSte({})
      return { ...honest, kind: undefined, apply: (state, x) => [tf.ceil(x), {}] }
    })
    export const Upwards4 = Injector.let(ScaledInt.Int8WeightPerTensorFloat, { bitWidth: 4, floatToIntImpl: Upwards })
    export const number = 4
    export const Open = Injector.let(ScaledInt.Int8ActPerTensorFloat, { bitWidth: Injector.value(["myBits"], (b) => b) })
    export const Unresolved = Injector.make("Unresolved", { tensorQuant: Injector.link("nowhere") })`,
  "wrong.ts": "export const x = ;"
}
const at = (name: string): string => join(place.folder, name)
beforeAll(async () => {
  // beside node_modules, so that what the files import is found
  place.folder = await mkdtemp(join(new URL("..", import.meta.url).pathname, "laws-"))
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(at(name), text)))
})
afterAll(() => rm(place.folder, { recursive: true }))

describe("breve laws", () => {
  it("lists the laws that an entry of the catalogue keeps, and why others are not claimed", async () => {
    const { text, succeeded } = await outcome(["Int8WeightPerTensorFloat", "--runs", "5"])
    expect(succeeded).toBe(true)
    expect(text).toMatch(/^Int8WeightPerTensorFloat: 8-bit signed narrow/)
    expect(text).toMatch(/^ {2}kept {9}range +low <= q\(x\)\/s \+ z <= high$/m)
    expect(text).toMatch(/^ {2}not claimed {2}minifloat +it is no minifloat$/m)
    expect(text).toMatch(/\d+ kept, \d+ not claimed, 0 broken; 5 runs of each law, seed 0\n$/)
  })
  it("tries what a file exports, by its name or alone, and leaves nothing", async () => {
    const before = tf.memory().numTensors
    for (const target of [at("good.ts"), `${at("good.ts")}#Int4`]) {
      const { text, succeeded } = await outcome([target, "--runs", "3"])
      expect(succeeded).toBe(true)
      expect(text).toContain("0 broken; 3 runs")
    }
    expect(tf.memory().numTensors).toBe(before)
  })
  it("shows the smallest case that breaks a law, and fails", async () => {
    const { text, line, succeeded } = await outcome([`${at("broken.ts")}#Upwards4`, "--seed", "7"])
    expect(succeeded).toBe(false)
    expect(line).toMatch(/^breve: Upwards4 breaks \d+ laws that it claims$/)
    expect(text).toMatch(/^ {2}BROKEN {7}rounding$/m)
    expect(text).toMatch(/^ {6}but for {2}x = float32\[6, 4\] 0 but \[\d, \d\] = .*$/m)
    expect(text).toMatch(/code -?\d+(\.\d+)? for the position/)
    const [, again = ""] =
      text.match(/^ {6}but for[\s\S]*?again {4}breve laws (.* --law rounding --seed 7 --path [\d:]+)$/m) ?? []
    const shown = await outcome(again.split(" "))
    expect(shown.succeeded).toBe(false)
    const caseOf = (all: string): string | undefined =>
      all.match(/BROKEN {7}rounding\n(?:.*\n)( {6}but for.*\n.*)\n/)?.[1]
    expect(caseOf(shown.text)).toBe(caseOf(text))
    expect(caseOf(text)).toMatch(/float32/)
    expect(shown.text).toMatch(/0 kept, 0 not claimed, 1 broken; 1 run of each law, seed 7\n$/)
    expect((await outcome([`${at("broken.ts")}#Upwards4`, "--seed", "7"])).text).toBe(text)
  })
  it("prints verdicts for machines", async () => {
    const { text, succeeded } = await outcome([`${at("broken.ts")}#Upwards4`, "--json", "--runs", "50"])
    expect(succeeded).toBe(false)
    const { quantizer, runs, seed, laws } = JSON.parse(text)
    expect({ quantizer, runs, seed }).toEqual({ quantizer: "Upwards4", runs: 50, seed: 0 })
    const rounding = laws.find(({ law }: { readonly law: string }) => law === "rounding")
    expect(rounding).toMatchObject({ kind: "broken", seed: 0, counterexample: expect.stringMatching(/^x = float32/) })
    expect(laws.find(({ law }: { readonly law: string }) => law === "shape")).toMatchObject({ kind: "kept", runs: 50 })
  })
  it("takes what a declaration leaves open, as numbers or text, and replaces what it has", async () => {
    const open = `${at("broken.ts")}#Open`
    const { text, succeeded } = await outcome([open, "--given", "myBits=3", "--runs", "3"])
    expect(succeeded).toBe(true)
    expect(text).toMatch(/^Open: 3-bit signed/)
    const args = ["--given", "bitWidth=5", "--given", "floatToIntImplType=floor", "--law", "width", "--json"]
    const { quantizer, given, laws } = JSON.parse((await outcome([at("good.ts"), ...args])).text)
    expect({ quantizer, given }).toEqual({ quantizer: "Int4", given: { bitWidth: 5, floatToIntImplType: "floor" } })
    expect(laws).toMatchObject([{ law: "width", kind: "kept" }])
    const said = async (...more: ReadonlyArray<string>) => (await outcome([open, ...more])).line
    expect(await said()).toBe(
      'breve: Open leaves "myBits" open (needed by tensorQuant > bitWidthImpl > bitWidth); add --given myBits=VALUE'
    )
    expect(await said("--given", "mybits=3")).toBe(
      'breve: Open does not look at "mybits"; did you mean "myBits"? (it leaves open myBits)'
    )
    expect(await said("--given", "myBits=many")).toMatch(/"bitWidth" must be a whole number .*, not many$/)
  })
  it("tries one law, and one case of it", async () => {
    const said = async (...args: ReadonlyArray<string>) => (await outcome([at("good.ts"), ...args])).line
    expect(await said("--law", "rouding")).toMatch(
      /^breve: there is no law "rouding"; did you mean "rounding"\? \(the laws/
    )
    expect(await said("--path", "0:1")).toMatch(/^breve: --path 0:1 is a case of one law, and --law names none; take/)
    expect(await said("--law", "rounding", "--path", "x")).toMatch(/^breve: --path x is no path/)
  })
  it("says what is wrong with what it is given", async () => {
    const said = async (target: string) => (await outcome([target])).line
    expect(await said("Int8WeightPerTensorFlaot")).toMatch(
      /unknown quantizer .* did you mean "Int8WeightPerTensorFloat"\?/
    )
    expect(await said("./absent.js#Q")).toMatch(/^breve: cannot load \.\/absent\.js: .*#MyQuantizer$/)
    expect(await said(`${at("wrong.ts")}#x`)).toMatch(/^breve: cannot load .*wrong\.ts: /)
    expect(await said(`${at("broken.ts")}#Upwards5`)).toMatch(
      /exports no "Upwards5"; did you mean "Upwards4"\? \(it exports .*\)$/
    )
    expect(await said(at("broken.ts"))).toMatch(
      /does not export one injector alone: name it, as in .*broken\.ts#NAME \(it exports /
    )
    expect(await said(`${at("broken.ts")}#number`)).toMatch(
      /"number" of .*broken\.ts is a number, not an injector; export what/
    )
    expect(await said(`${at("broken.ts")}#Unresolved`)).toMatch(/^breve: Unresolved .*nowhere/)
  })
})

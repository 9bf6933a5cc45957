/** Inspect.ts and Words.ts: what `breve inspect` prints. */
import { Effect, Terminal } from "effect"
import { Command, TerminalCapabilities } from "effect/cli"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Inspect from "../../src/cli/Inspect.ts"
import * as Measure from "../../src/cli/Measure.ts"
import * as NodeLayer from "../../src/cli/Node.ts"
import * as Words from "../../src/cli/Words.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"

const entry = (name: string): Injector.Any => Catalogue.entries[name] as Injector.Any
const run = Command.runWith(Inspect.command, { version: "0" })

/** What the command prints, on a terminal of so many columns, or into a file. */
const printed = (args: ReadonlyArray<string>, columns?: number): Promise<string> => {
  const shown: Array<string> = []
  return Effect.runPromise(
    run(args).pipe(
      Effect.updateService(Terminal.Terminal, (terminal) => ({
        ...terminal,
        columns: Effect.succeed(columns ?? 80),
        display: (text: string) => Effect.sync(() => void shown.push(text))
      })),
      Effect.updateService(TerminalCapabilities.TerminalCapabilities, (can) => ({
        ...can,
        canAnimate: columns !== undefined
      })),
      Effect.provide(NodeLayer.layer),
      Effect.map(() => shown.join(""))
    )
  )
}
const failure = (args: ReadonlyArray<string>) =>
  Effect.runPromise(Effect.flip(run(args)).pipe(Effect.provide(NodeLayer.layer)))

describe("breve inspect", () => {
  it("lists every entry by family, a line each, aligned", async () => {
    const lines = (await printed([])).trimEnd().split("\n")
    expect(lines.filter((line) => /^\S/.test(line))).toEqual(Object.keys(Catalogue.families))
    const entries = lines.filter((line) => line.startsWith("  "))
    expect(entries.map((line) => line.trim().split(" ")[0]).sort()).toEqual(Object.keys(Catalogue.entries).sort())
    const starts = entries.map((line) => line.search(/(?<=\S {2,})\S/))
    expect(new Set(starts).size).toBe(1)
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^ {2}Int8WeightPerTensorFloat +8-bit signed narrow, one float scale per tensor from max \|x\|$/
      )
    )
  })
  it("fits the lines to a terminal, and leaves them whole elsewhere", async () => {
    const lines = (await printed([], 60)).trimEnd().split("\n")
    expect(Math.max(...lines.map((line) => line.length))).toBe(60)
    expect(lines.some((line) => line.endsWith("…"))).toBe(true)
    expect(await printed([])).not.toContain("…")
  })
  it("lists one family, in whatever case", async () => {
    const listed = await printed(["--family", "fixedpoint"])
    expect(listed.startsWith("FixedPoint\n")).toBe(true)
    expect(listed.trimEnd().split("\n")).toHaveLength(1 + Object.keys(Catalogue.families.FixedPoint ?? {}).length)
  })
  it("shows one entry with its facts and its wiring", async () => {
    const page = await printed(["Int8WeightPerChannelFloat"])
    const fact = (title: string) => page.match(new RegExp(`^ {2}${title} +(.*)$`, "m"))?.[1]
    expect(
      page.startsWith("Int8WeightPerChannelFloat: 8-bit signed narrow, float scales per channel from max |x|\n")
    ).toBe(true)
    expect(fact("range")).toBe("-127..127")
    expect(fact("scale")).toBe("float, per channel")
    expect(fact("from")).toBe("statistics of each call: max |x|")
    expect(fact("needs")).toBe("module")
    expect(fact("memory")).toBe("1 004 000 bytes for a million weights")
    expect(fact("source")).toBe("src/quant/ScaledInt.ts")
    expect(page).toContain(Injector.tree(entry("Int8WeightPerChannelFloat"), ["tensorQuant"]))
    expect(page).not.toContain("problem")
  })
  it("prints facts for machines", async () => {
    const [fact] = JSON.parse(await printed(["--json", "Int8ActPerTensorFloat"]))
    expect(fact).toMatchObject({
      family: "ScaledInt",
      name: "Int8ActPerTensorFloat",
      bits: 8,
      range: [-128, 127],
      bytesPerMillion: null,
      learned: { tensor: 1, channel: 0, group: 0, value: 0 },
      running: { tensor: 1 },
      outside: []
    })
    const all = JSON.parse(await printed(["--json", "--family", "Binary"]))
    expect(all.map(({ name }: { readonly name: string }) => name).sort()).toEqual(
      Object.keys(Catalogue.families.Binary ?? {}).sort()
    )
  })
  it("asks whether another name was meant", async () => {
    expect(await failure(["Int8WeightPerTensorFlaot"])).toMatchObject({
      _tag: "NotInCatalogue",
      message:
        'unknown quantizer "Int8WeightPerTensorFlaot"; did you mean "Int8WeightPerTensorFloat"? ("breve inspect" lists them all)'
    })
    const family = await failure(["--family", "fixed"])
    expect((family as Error).message).toContain('unknown family "fixed"; did you mean "FixedPoint"? (the families are')
    expect(((await failure(["toString"])) as Error).message).toContain('unknown quantizer "toString"')
  })
})

describe("Inspect.page", () => {
  it("shows problems of the wiring", () => {
    const wrong = Injector.let(entry("Int8WeightPerTensorFloat"), { restrictScalingType: "powersOfTwo" })
    expect(Inspect.page(wrong, undefined, "x.ts")).toMatch(/problem {5}"restrictScalingImpl" has no case for/)
  })
})

describe("Measure.measure", () => {
  const measured = (self: Injector.Any) => Effect.runPromise(Effect.provide(Measure.measure(self), Backend.layer))
  it("counts what is learned and what runs", async () => {
    const channel = await measured(entry("Int8WeightPerChannelFloatMSE"))
    expect(channel?.learned).toEqual({ tensor: 0, channel: 1, group: 0, value: 0 })
    const none = await measured(entry("NoneWeightQuant"))
    expect(none).toEqual({ learned: channel?.running, running: channel?.running, outside: [] })
    expect((await measured(entry("TruncTo8bit")))?.outside).toEqual(["scale", "zeroPoint", "bitWidth", "signed"])
  })
  it("answers nothing where a name is lacking that no layer gives", async () => {
    const lacking = Injector.let(entry("Int8WeightPerTensorFloat"), { bitWidth: Injector.link("nowhere") })
    expect(await measured(lacking)).toBeUndefined()
  })
})

describe("Words", () => {
  it("count numbers", () => {
    expect(Words.count({ tensor: 0, channel: 0, group: 0, value: 0 })).toBe("0")
    expect(Words.count({ tensor: 1, channel: 2, group: 0, value: 1 })).toBe("1 + 2 per channel + 1 per value")
  })
  it("describe each kind of format in a line", () => {
    const line = (name: string) => Words.line(Catalogue.facts(entry(name)))
    expect(line("NoneActQuant")).toBe("not quantized")
    expect(line("SignedBinaryWeightPerTensorConst")).toBe("binary, one float scale per tensor, constant 0.1")
    expect(line("Fp8e4m3Weight")).toBe("e4m3 minifloat, unscaled")
    expect(line("FpWeight")).toBe("minifloat, widths to be given, unscaled")
    expect(line("IntBias")).toBe("signed integers, scaled by input times weight")
    expect(line("MXInt8Weight")).toBe("8-bit signed, power-of-two scales per group of 32 from max |x|")
    expect(line("TruncTo8bit")).toBe("8-bit, one power-of-two scale per tensor from the bits dropped, rounded down")
    expect(line("ShiftedUint8WeightPerTensorFloat")).toBe(
      "8-bit unsigned, one float scale per tensor from max − min, zero-point from min"
    )
  })
})

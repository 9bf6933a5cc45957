/** The facts of declarations: what is told from attributes alone. What every entry promises is checked in Catalogue.test.ts. */
import { pipe } from "effect"
import { describe, expect, it } from "vitest"
import * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"

const of = (name: string): Catalogue.Facts => Catalogue.facts(Catalogue.entries[name] as Injector.Any)
const varied = (name: string, attributes: Injector.Attributes): Catalogue.Facts =>
  Catalogue.facts(Injector.let(Catalogue.entries[name] as Injector.Any, attributes))

describe("Catalogue.facts", () => {
  it("reads an integer format off options that are rules' flags", () => {
    expect(of("Int8WeightPerTensorFloat")).toMatchObject({
      slot: "weight",
      quantizer: "RescalingIntQuant",
      format: { kind: "integer", signed: true, narrow: true },
      bits: 8,
      learnedBits: false,
      range: [-127, 127],
      scale: { per: "tensor", restriction: "float", origin: "statistics of each call", statistic: "max |x|" },
      zeroPoint: { from: "zero" },
      rounding: "to nearest, ties to even",
      needs: [],
      bytesPerMillion: 1_000_004
    })
    expect(of("Uint8ActPerTensorFloat").range).toEqual([0, 255])
    expect(of("SignedTernaryWeightPerTensorConst").range).toEqual([-1, 1])
  })
  it("follows what let changes", () => {
    const weight = "Int8WeightPerTensorFloat"
    expect(varied(weight, { bitWidth: 4, narrowRange: false })).toMatchObject({ bits: 4, range: [-8, 7] })
    expect(varied(weight, { bitWidth: 4 }).bytesPerMillion).toBe(500_004)
    expect(varied(weight, { scalingPerOutput: "channel" })).toMatchObject({
      scale: { per: "channel" },
      needs: ["module"],
      bytesPerMillion: 1_004_000
    })
    const fixed = varied(weight, { restrictScalingType: "powerOfTwo" })
    expect(fixed.scale).toMatchObject({ restriction: "power of two", exponent: "nearest" })
    expect(fixed.bytesPerMillion).toBe(1_000_001)
    expect(varied(weight, { bitWidthImplType: "parameter" }).learnedBits).toBe(true)
    expect(varied(weight, { floatToIntImplType: "stochasticRound" }).rounding).toBe("stochastic")
    expect(varied(weight, { quantType: "fp" })).toMatchObject({ quantizer: undefined, format: { kind: "none" } })
    expect(varied(weight, { quantType: "fp" }).bytesPerMillion).toBe(4_000_000)
    expect(varied(weight, { scalingImplType: "const", scalingConst: 0.5 }).scale).toMatchObject({ constant: 0.5 })
  })
  it("says open of what the declaration does not tell", () => {
    const open = varied("Int8WeightPerTensorFloat", { quantType: Injector.value(["module"], () => "int") })
    expect(open).toMatchObject({ quantizer: undefined, format: { kind: "open" }, bits: undefined, range: undefined })
    expect(Catalogue.facts(Injector.make("Mine", {}))).toMatchObject({ slot: undefined, format: { kind: "open" } })
    const bits = varied("Int8WeightPerTensorFloat", { bitWidth: Injector.value(["module"], () => 3) })
    expect(bits).toMatchObject({ bits: undefined, range: undefined, bytesPerMillion: undefined })
  })
  it("knows the largest minifloats", () => {
    const largest = (name: string) => of(name).range?.[1]
    expect(largest("Fp8e4m3Weight")).toBe(480)
    expect(largest("Fp8e4m3OCPWeight")).toBe(448)
    expect(largest("Fp8e5m2OCPWeight")).toBe(57344)
    expect(largest("Fp8e4m3FNUZWeight")).toBe(240)
    expect(of("FpOCPWeight")).toMatchObject({ format: { kind: "minifloat" }, bits: undefined, range: undefined })
    expect(of("FpOCPWeight").needs).toEqual(["exponentBitWidth", "mantissaBitWidth", "bitWidth"].sort())
    expect(of("Fp8e4m3Weight").bytesPerMillion).toBe(1_000_000)
  })
  it("counts scales and zero-points of groups", () => {
    // 1000 rows of 32 groups each, the last of them not full
    expect(of("MXInt8Weight").bytesPerMillion).toBe(1_000_000 + 32_000)
    expect(of("IntWeightSymmetricGroupQuant").bytesPerMillion).toBe(1_000_000 + 32_000 * 4)
    expect(of("ShiftedUint8WeightPerChannelFloat").bytesPerMillion).toBe(1_000_000 + 1000 * (4 + 1))
    expect(of("ShiftedUint8WeightPerChannelFloatHQO").bytesPerMillion).toBe(1_000_000 + 1000 * (4 + 4))
    expect(of("SignedBinaryWeightPerTensorConst").bytesPerMillion).toBe(125_000 + 4)
  })
  it("tells where scales and zero-points come from", () => {
    expect(of("Int8ActPerTensorFloat").scale).toMatchObject({
      origin: "learned",
      statistic: "99.999 percentile of |x|",
      steps: 300
    })
    expect(of("Int8WeightPerChannelFloatMSE").scale?.statistic).toBe("least squared error near max |x|")
    expect(of("Int8ActPerTensorFloatMinMaxInit").scale?.origin).toBe("learned, at first from minVal and maxVal")
    expect(of("Int32Bias").scale).toMatchObject({ per: "channel", origin: "input times weight" })
    expect(of("Int8WeightNormL2PerChannelFixedPoint").scale?.pre).toBe("learned norm of the channel")
    expect(of("TruncTo8bit")).toMatchObject({ slot: "truncation", zeroPoint: { from: "outside" }, rounding: "down" })
    expect(of("Int8DynamicActPerRowFloat").scale?.per).toBe("row")
    expect(of("ShiftedUint8WeightPerTensorFloat").zeroPoint).toEqual({
      from: "statistics",
      statistic: "min",
      whole: true
    })
  })
  it("takes the slot from the rules, whatever the name", () => {
    const weight = pipe(Catalogue.entries.Int8WeightPerTensorFloat as Injector.Any, Injector.named("Act"))
    expect(Catalogue.facts(weight).slot).toBe("weight")
    const slots = ["MyWeight", "MyBias", "MyAct", "TruncMine", "Mine"].map(
      (name) => Catalogue.facts(Injector.make(name, {})).slot
    )
    expect(slots).toEqual(["weight", "bias", "activation", "truncation", undefined])
  })
})

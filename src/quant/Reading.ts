/**
 * Reading a declaration: constants, and the constructors behind names, as far as a quantizer would look at them.
 *
 * Room: quant (level 3). Imports: `inject`.
 */
import * as Injector from "../inject/Injector.ts"

export interface Reading {
  /** what an attribute would become; absent: the quantizer does not look at it */
  readonly foreseen: Readonly<Record<string, Injector.Foreseen>>
  readonly constant: (name: string) => unknown
  readonly number: (name: string) => number | undefined
  /** the constructor that would build an attribute */
  readonly builder: (name: string) => string | undefined
  /** what the quantizer looks at, and is not there */
  readonly missing: ReadonlyArray<string>
}

/** Options that say what a quantizer is, also where no part of it looks at them. */
const options = [
  "scalingPerOutput",
  "groupSize",
  "exponentBitWidth",
  "mantissaBitWidth",
  "exponentBias",
  "signed",
  "bitWidth"
]

/** What a resolution of the quantizer would find. */
export const of = (entry: Injector.Any): Reading => {
  const stated = Injector.foresee(
    entry,
    options.filter((name) => Injector.has(entry, name))
  )
  const reached = Injector.foresee(entry, ["tensorQuant"])
  const foreseen = { ...stated, ...reached }
  const constant = (name: string): unknown => {
    const found = foreseen[name]
    return found?.kind === "constant" ? found.value : undefined
  }
  return {
    foreseen,
    constant,
    number: (name) => {
      const found = constant(name)
      return typeof found === "number" ? found : undefined
    },
    builder: (name) => {
      const found = foreseen[name]
      return found?.kind === "built" ? found.label : undefined
    },
    missing: Object.keys(reached).filter((name) => reached[name]?.kind === "missing")
  }
}

// ---- statistics ---------------------------------------------------------------------------------------------

const plain: Readonly<Record<string, string>> = {
  AbsMax: "max |x|",
  AbsMinMax: "max − min",
  NegativeMinOrZero: "min",
  AbsAve: "mean |x|",
  AbsMaxAve: "mean of the channels' max |x|",
  AbsMaxL2: "L2 norm of the channels' max |x|",
  L1Norm: "L1 norm",
  L2Norm: "L2 norm",
  KLMinimizerThreshold: "threshold of least KL divergence",
  OptimalScale: "least squared error of all",
  OptimalAsymmetricScale: "least squared error of all",
  OptimalZeroPoint: "least squared error of all",
  OptimalScaleMinifloat: "least squared error of all"
}

/** What the statistic behind `name` measures, in words; of a search also what it begins from. */
export const statistic = (read: Reading, name: string): string | undefined => {
  const { builder, number } = read
  const label = builder(name)
  if (label === undefined) return undefined
  const zero = name.startsWith("zeroPoint")
  const from = (search: string, start: string): string => {
    const begins = statistic(read, start)
    return begins === undefined ? search : `${search} near ${begins}`
  }
  const quantile = (option: string): string => `${number(option) ?? "?"}`
  if (label.startsWith("MSE")) return from("least squared error", zero ? "mseZeroPointInitOp" : "mseScaleInitOp")
  if (label.startsWith("HalfQuadratic")) return from("half-quadratic search", zero ? "hqoInitOpZp" : "hqoInitOpScale")
  switch (label) {
    case "AbsPercentile":
      return `${quantile("highPercentileQ")} percentile of |x|`
    case "NegativePercentileOrZero":
      return `${quantile("lowPercentileQ")} percentile`
    case "PercentileInterval":
      return `percentiles ${quantile("lowPercentileQ")} to ${quantile("highPercentileQ")}`
    case "MeanSigmaStd":
      return `mean |x| + ${quantile("sigma")} σ`
    case "MeanLearnedSigmaStd":
      return "mean |x| + learned σ"
    default:
      return plain[label] ?? label
  }
}

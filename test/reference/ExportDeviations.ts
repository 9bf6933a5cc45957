/**
 * Where an exported graph is another one than the reference's, on purpose.
 */
import type { Rule } from "./Deviations.ts"

const isExport = ({ config }: { config: any }): boolean => config.format === "qcdq" || config.format === "qonnx"

/** Whether nothing else differs than these. */
const only = (actual: any, ...known: ReadonlyArray<string>): boolean =>
  actual.differing?.length > 0 && actual.differing.every((path: string) => known.includes(path))

/** The rules about exports. */
export const rules: ReadonlyArray<Rule> = [
  {
    id: "a-model-answers-a-value",
    reason:
      "An exported model answers its value alone. The reference hands out scale, zero-point, width and two flags as well where the last " +
      "layer returns a quant tensor: constants that the nodes before have already.",
    matches: (testCase, _, actual) => isExport(testCase) && only(actual, "outputs")
  },
  {
    id: "no-padding-with-nothing",
    reason:
      "An average pool is one node. The reference puts a Pad of no elements before it, which is left over from how its tracer sees the " +
      "padding of PyTorch.",
    matches: (testCase, _, actual) =>
      isExport(testCase) && actual.differing?.includes("pad") && only(actual, "pad", "outputs")
  },
  {
    id: "signs-are-standard-operators",
    reason:
      "Binary activations are exported, as a comparison with 0 and a choice of two values, which every runtime knows; the replay computes " +
      "the file and compares it with the model. The reference refuses them in QCDQ.",
    matches: (testCase, expected, actual) =>
      testCase.config.format === "qcdq" &&
      /^Binary quant/.test(expected.export?.error?.message ?? "") &&
      only(actual, "it was exported")
  },
  {
    id: "cuts-are-roundings",
    reason:
      "An average pool that cuts downwards is exported, as a rounding to nearest of what lies half a new step less half an old one lower; " +
      "the replay computes the file and compares it with the model. The reference refuses all but rounding in QCDQ.",
    matches: (testCase, expected, actual) =>
      testCase.config.format === "qcdq" &&
      testCase.config.model.some(({ layer }: { layer: string }) => layer === "TruncAvgPool2d") &&
      expected.export?.error !== undefined &&
      only(actual, "it was exported")
  },
  {
    id: "weights-round-as-they-do",
    reason:
      "The weight's Quant node has the rounding that the weight's quantizer has. The reference writes ROUND whatever it is, so that its " +
      "graph computes something else than its module (the case is marked as a defect).",
    matches: (testCase, _, actual) =>
      isExport(testCase) && testCase.config.upstream_defect !== undefined && only(actual, "rounding of the weight")
  }
]

/**
 * Where the ready-made quantizers differ from the reference on purpose.
 */
import type { Case } from "./Case.ts"
import type { Rule } from "./Deviations.ts"

const resolvedOf = ({ config, outputs }: Case): any => config.resolved ?? outputs.resolved ?? {}
const implementationsOf = (testCase: Case): Readonly<Record<string, string>> =>
  resolvedOf(testCase).implementations ?? {}

const searchesZeroPoint = (testCase: Case): boolean =>
  resolvedOf(testCase).mse_zero_point !== undefined || implementationsOf(testCase).stats_impl_zp !== undefined

const searches = (testCase: Case): boolean =>
  searchesZeroPoint(testCase) ||
  resolvedOf(testCase).mse_scale !== undefined ||
  implementationsOf(testCase).stats_impl_scale !== undefined

/** The steps from the last that collects up to the next that trains, as their paths begin. */
const whileConverted = ({ modes, resolved }: any): ReadonlyArray<string> => {
  const training: ReadonlyArray<number> = modes.flatMap((mode: string, i: number) => (mode === "train" ? [i] : []))
  const [last = modes.length, next = modes.length] = training.slice(resolved.collect_stats_steps - 1)
  return modes.slice(0, next).flatMap((mode: string, i: number) => (i < last ? [] : [`step ${i} (${mode})`]))
}

const overridden = ({ config }: Case, names: RegExp): boolean =>
  Object.keys(config.overrides ?? {}).some((name) => names.test(name))

/** What chooses a part. */
const choices = /(impl_type|restrict_scaling_type|scaling_per_output_channel|scaling_per_output_type)$/

export const rules: ReadonlyArray<Rule> = [
  {
    id: "learned-at-the-next-step",
    reason:
      "What was collected becomes the learned scale when the next training step is prepared. In the reference a search for a " +
      "zero-point calls the scaling once more within the last collecting step, and that call already converts it; every " +
      "later training step is the same.",
    matches: (testCase, _, actual) =>
      testCase.config.kind === "activation" &&
      searchesZeroPoint(testCase) &&
      actual.differing.every(
        (path: string) =>
          whileConverted(testCase.config).some((start) => path.startsWith(start)) &&
          /\.(state|grads)\..*scaling_impl\.(value|buffer|counter)$/.test(path)
      )
  },
  {
    id: "a-neighbouring-candidate",
    reason:
      "The vector is marked sensitive: an iterative search keeps or drops a candidate on differences of losses as small as the " +
      "rounding of float32. Only numbers differ, and no result by more than a step of few bits.",
    matches: ({ config }, _, actual) =>
      config.sensitive !== undefined &&
      actual.off?.every(
        (off: number | undefined, i: number) =>
          off !== undefined && (/(^|\.)grads\./.test(actual.differing[i]) || off <= 0.25)
      ) === true
  },
  {
    id: "a-declared-search-is-done",
    reason:
      "The reference declares a search for the scale and, by the order of the base classes, hides it again: the plain statistic " +
      "of each call is taken. Ours searches, as the integer twin of the quantizer does in the reference.",
    matches: ({ config, outputs }) => {
      const resolved = config.resolved ?? outputs.resolved ?? {}
      // of a quantizer, or of those of a layer
      return [resolved, ...Object.values<any>(resolved)].some(
        (one) => one?.mse_scale !== undefined && one.scaling_impl_type === "stats"
      )
    }
  },
  {
    id: "a-zero-point-sees-groups",
    reason:
      "In the reference the zero-point of this quantizer takes over the view of the scale, which a search leaves to itself, so " +
      "that it would reduce an axis that is not there: the quantizer cannot be called. Ours takes a zero-point for each group.",
    matches: ({ config, outputs }, _, actual) =>
      config.kind === "resolve" &&
      outputs.resolved?.mse_scale !== undefined &&
      outputs.resolved?.mse_zero_point === undefined &&
      outputs.resolved?.scaling_per_output === "group" &&
      outputs.resolved?.implementations?.zero_point_impl === "StatsFromParameterZeroPoint" &&
      actual.differing.every((path: string) => path === "tree")
  },
  {
    id: "a-search-does-not-use-up-the-delay",
    reason:
      "Steps of a delay are calls of the quantizer. In the reference the trials of a search are counted too: the first ones are not " +
      "quantized, have no loss, and win.",
    matches: (testCase) => searches(testCase) && overridden(testCase, /quant_delay_steps$/)
  },
  {
    id: "a-search-sees-what-is-quantized",
    reason:
      "The function of an activation layer is applied once. In the reference a search sends its input, which the function has " +
      "answered, through the function again, and finds the best scale for that.",
    matches: (testCase) =>
      testCase.config.kind === "activation" && searches(testCase) && /^Quant(Sigmoid|Tanh)$/.test(testCase.config.layer)
  },
  {
    id: "a-search-leaves-no-trace",
    reason:
      "Running statistics are those of the calls. In the reference the candidates that a search tries are counted into them, each as if " +
      "it had been a call.",
    matches: (testCase) =>
      testCase.config.kind === "activation" &&
      searches(testCase) &&
      /^(affine_)?stats$/.test(resolvedOf(testCase).scaling_impl_type)
  },
  {
    id: "an-option-is-heard",
    reason:
      "An option chooses the part it names in every entry. In the reference the decoupled quantizers declare their parts directly, " +
      "and the option is dropped in silence.",
    matches: (testCase) =>
      /^DecoupledRescalingIntQuant/.test(implementationsOf(testCase).tensor_quant ?? "") &&
      overridden(testCase, choices)
  },
  {
    id: "one-sign-is-binary",
    reason:
      "A tensor of minus or plus its scale is binary, also if only one of the two occurs. The reference asks for both.",
    matches: ({ outputs }, _, actual) =>
      actual.differing?.every((path: string) => {
        const [, step] = /^step (\d+)[^.]*\.(is_valid|int)$/.exec(path) ?? []
        const { out, quant = out } = outputs.steps?.[Number(step)] ?? {}
        return quant?.bit_width?.data[0] === 1 && new Set(quant.value.data).size === 1
      }) === true
  },
  {
    id: "he-counts-one-output",
    reason:
      "The scale of He's rule comes from the elements of one output channel. The reference takes the first axis for that one, " +
      "which counts input channels in transposed convolutions.",
    matches: (testCase) =>
      resolvedOf(testCase).scaling_impl_type === "he" && /Transpose/.test(testCase.config.layer ?? "")
  },
  {
    id: "what-overflows-needs-a-code",
    reason:
      "A format that does not saturate and has no code for what is too large is refused when it is declared. The reference builds " +
      "it, and fails when it is called.",
    matches: ({ config, outputs }, _, actual) =>
      config.kind === "resolve" &&
      outputs.resolved?.saturating === false &&
      outputs.resolved.inf_values === undefined &&
      outputs.resolved.nan_values === undefined &&
      actual.differing.includes("tensorQuant")
  }
]

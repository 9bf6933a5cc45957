/**
 * Where breve differs from the reference on purpose. A rule looks at what a case shows, never at its name.
 *
 * Each rule sees one result of the case: what the vector expects and what breve did, both as the vector writes results.
 */
import type { Case } from "./Case.ts"
import { rules as ofExports } from "./ExportDeviations.ts"
import { rules as ofPtq } from "./PtqDeviations.ts"
import { rules as ofQuantizers } from "./QuantizerDeviations.ts"
import { rules as ofQuantTensors } from "./QuantTensorDeviations.ts"
import { rules as ofStates } from "./StateDeviations.ts"
import { rules as ofTraining } from "./TrainDeviations.ts"

export interface Rule {
  readonly id: string
  readonly reason: string
  readonly matches: (testCase: Case, expected: any, actual: any) => boolean
}

/** The first rule that explains the difference. */
export const explaining = (testCase: Case, expected: unknown, actual: unknown): Rule | undefined =>
  rules.find((rule) => rule.matches(testCase, expected, actual))

const messageOf = (expected: { readonly error?: { readonly message?: string } }): string =>
  expected.error?.message ?? ""

/** A result without the identities of its instances. */
const withoutIds = (result: unknown): string =>
  JSON.stringify(result, (key, value) => (key === "id" || key === "calls" ? undefined : value))

const identities = (result: unknown): number => {
  const ids = new Set<unknown>()
  JSON.stringify(result, (key, value) => {
    if (key === "id") ids.add(value)
    return value
  })
  return ids.size
}

/** Whether `few` is `many` with some entries left out that occur elsewhere in it. */
const withoutRepeats = (few: ReadonlyArray<string>, many: ReadonlyArray<string>): boolean =>
  few.length < many.length && JSON.stringify(few) === JSON.stringify([...new Set(many)])

const hasLinks = (testCase: Case): boolean =>
  JSON.stringify([testCase.config.injectors, testCase.config.functions]).includes('"this":')

/** The result of an earlier step of the case that failed with the same message on an attribute of the same name. */
const failedBefore = (testCase: Case, expected: unknown): boolean => {
  const { steps } = testCase.config
  const { results } = testCase.outputs
  const at = results.indexOf(expected)
  return (
    at > 0 &&
    steps
      .slice(0, at)
      .some(
        (step: { op: string; attr?: string }, i: number) =>
          step.op === "get" &&
          step.attr === steps[at].attr &&
          messageOf(results[i]) !== "" &&
          messageOf(results[i]) === messageOf(results[at])
      )
  )
}

/** The names in a load's complaint about missing ones. */
export const missingKeys = (message: string): ReadonlyArray<string> | undefined => {
  const names = /Missing key\(s\) in state_dict: (.*)/.exec(message)?.[1]
  return names === undefined ? undefined : [...names.matchAll(/"([^"]*)"/g)].map((match) => match[1] as string)
}

const declared = (actual: { readonly defined?: string }): boolean => actual.defined !== undefined

export const rules: ReadonlyArray<Rule> = [
  {
    id: "a-link-shares-the-instance",
    reason:
      "A link leads to the instance of the resolution it is in. The reference resolves the linked attribute once more, " +
      "so that one object stands in two places as two.",
    matches: (testCase, expected, actual) =>
      hasLinks(testCase) &&
      expected.instance !== undefined &&
      withoutIds(expected) === withoutIds(actual) &&
      identities(actual) < identities(expected) &&
      withoutRepeats(actual.calls, expected.calls)
  },
  {
    id: "a-failed-resolution-changes-nothing",
    reason:
      "Injectors are immutable. In the reference a failed access leaves the class that a value function returned in the " +
      "place of the function, also for injectors derived later.",
    matches: (testCase, expected, actual) =>
      expected.error?.kind === "DependencyError" && actual.error === undefined && failedBefore(testCase, expected)
  },
  {
    id: "a-missing-last-argument-is-a-missing-dependency",
    reason:
      "A value function whose last argument is absent is not called: it is a MissingDependency as for any other argument. " +
      "The reference calls it anyway, and the host language complains.",
    matches: (_, expected, actual) => {
      const absent = /missing 1 required positional argument: '(.*)'/.exec(messageOf(expected))?.[1]
      return (
        expected.error?.kind === "TypeError" &&
        absent !== undefined &&
        actual.error?.kind === "missing" &&
        actual.error.attribute === absent
      )
    }
  },
  {
    id: "static-errors-come-first",
    reason:
      "A missing name or a circle that the declarations already show is reported before anything is built; the reference " +
      "builds what comes before it.",
    matches: (_, expected, actual) =>
      (actual.error?.kind === "missing" || actual.error?.kind === "circular") &&
      messageOf(expected).includes(`'${actual.error.attribute}'`) &&
      actual.calls.length < expected.calls.length &&
      actual.calls.every((call: string, i: number) => call === expected.calls[i])
  },
  {
    id: "dependencies-are-a-record",
    reason:
      "Dependencies are declared as a typed record, so that arbitrary argument lists cannot be written down, and a value is a " +
      "function of named attributes wherever it comes from (class or method).",
    matches: (_, expected, actual) =>
      declared(actual) &&
      /arbitrary (argument list|keyword arguments)|decorator can not be used on (classes|methods)/.test(
        messageOf(expected)
      )
  },
  {
    id: "raw-instead-of-a-suffix",
    reason:
      "Whether a class is wired or handed out is said by `raw`, not by the ending of a name; a default is handed out as it is.",
    matches: (_, expected, actual) =>
      declared(actual) && /default value (of .* argument set to|should be a class)/.test(messageOf(expected))
  },
  {
    id: "no-reserved-names",
    reason:
      "Attributes live in a record of their own and operations are functions of the module, so that no name is reserved.",
    matches: (_, expected, actual) =>
      declared(actual) && /Magic methods are not allowed|'let' redefinition/.test(messageOf(expected))
  },
  {
    id: "a-failed-load-changes-nothing",
    reason:
      "A load checks all names before it changes anything. The reference copies what it finds and rebuilds the quantizers, and " +
      "complains about missing names afterwards.",
    matches: (testCase, expected, actual) =>
      testCase.config.strict === true &&
      testCase.config.ignore_missing_keys === false &&
      missingKeys(expected.load?.error?.message ?? "") !== undefined &&
      actual.load?.error?.kind === "MissingKeys" &&
      actual.differing.every((key: string) => key.endsWith("_after")) &&
      JSON.stringify(actual.weight_after.data) ===
        JSON.stringify(testCase.inputs.weight.data.map((x: number) => Math.fround(x)))
  },
  {
    id: "a-width-holds-its-sum",
    reason:
      "The width of an accumulator holds every sum of its products, those of one bit included, which are -1 and 1. The formula " +
      "of the reference counts 2^b - 1 values for b bits, so its own answer says that it is not valid.",
    matches: ({ outputs }, _, actual) =>
      outputs.out?.is_valid === false &&
      actual.differing.every((path: string) => ["out.bit_width", "out.is_valid", "out.int"].includes(path))
  },
  {
    id: "a-bias-on-the-grid-stays-on-it",
    reason:
      "A bias quantized with the scale of the products is a whole number of steps: it is part of the accumulator's integers. The " +
      "reference compares scales of different shapes in convolutions, takes them for different, and moves the zero-point " +
      "instead; in linear layers it does as we do. The value is the same.",
    matches: ({ config, outputs }, _, actual) =>
      /Conv/.test(config.layer ?? "") &&
      config.resolved?.bias_quant?.requires_input_scale === true &&
      outputs.out?.zero_point?.data.some((z: number) => z !== 0) &&
      actual.differing.every(
        (path: string) =>
          path === "out.zero_point" ||
          path === "out.int" ||
          // and a transposed convolution sums its inputs
          (path === "out.bit_width" && /Transpose/.test(config.layer))
      )
  },
  ...ofQuantizers,
  ...ofQuantTensors,
  ...ofStates,
  ...ofTraining,
  ...ofExports,
  ...ofPtq,
  {
    id: "a-scale-mismatch-fails-in-training-too",
    reason:
      "Values of different scales cannot be added or joined as integers, in training as in evaluation: a typed failure names both. " +
      "The reference takes the mean of the scales in training, and fails only when the model is used.",
    matches: ({ config }, _, actual) => config.mode === "train" && actual.error === "ScaleMismatch"
  },
  {
    id: "collections-end-between-steps",
    reason:
      "What was collected becomes the learned scale when the next training step is prepared. The inputs of a sum or concatenation share " +
      "a quantizer, which the reference calls once for each: where the calls to collect end between them, it goes over to what it has " +
      "learned in the midst of a step.",
    matches: ({ config }, _, actual) => {
      const { input_collect_stats_steps: steps = 300 } = config.kwargs ?? {}
      return (
        /^Quant(EltwiseAdd|Cat)$/.test(config.layer ?? "") &&
        steps % 2 === 1 &&
        actual.differing.every((path: string) => !path.startsWith("error"))
      )
    }
  },
  {
    id: "an-image-covers-what-it-is-made-of",
    reason:
      "Where a factor does not give a whole number of elements, the last part of one is left out, and the elements of the larger image " +
      "cover the whole of the smaller one, as in TensorFlow and in ONNX for given sizes. The reference steps by the factor and leaves " +
      "out an edge of the image.",
    matches: ({ config, inputs }) => {
      const { scale_factor: factor } = config.args ?? {}
      const factors = typeof factor === "number" ? [factor, factor] : (factor ?? [])
      return (
        /^QuantUpsampl/.test(config.layer ?? "") &&
        factors.some((f: number, axis: number) => !Number.isInteger(f * inputs.x.shape[axis + 2]))
      )
    }
  },
  {
    id: "a-table-may-have-a-scale-per-row",
    reason:
      "An embedding whose rows have scales of their own answers those scales with the rows. The reference has no rule for that and fails.",
    matches: ({ config }, expected, actual) =>
      config.layer === "QuantEmbedding" &&
      messageOf(expected.forward ?? {}) === "Only per-tensor quantization is supported." &&
      actual.forward === "ok"
  },
  {
    id: "shared-weights-keep-their-gates",
    reason:
      "Both directions multiply the input with the same matrix in the same gate. The reference exchanges those of the input and the " +
      "forget gate in the backward direction. What the forward direction answers is compared all the same.",
    matches: ({ config }, _, actual) =>
      config.upstream_defect !== undefined &&
      config.args?.shared_input_hidden_weights === true &&
      actual.differing.every((path: string) => /^(grads|out|hidden|cell)\./.test(path))
  }
]

/**
 * How an entry of the catalogue resolves: its options, the tree of its parts, the names that its state is saved under.
 */
import * as tf from "@tensorflow/tfjs-core"
import type * as Brick from "../../../../src/core/Brick.ts"
import type { Modules } from "../../../../src/core/Module.ts"
import * as Injector from "../../../../src/inject/Injector.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import type { Case, Outcome } from "../../Case.ts"
import { numberOf } from "../Core.ts"
import { type Difference, isWritten, outcomeOf } from "./Compared.ts"
import { camelOf, type Role, snakeOf, statesChannels } from "./Names.ts"
import * as Quantizer from "./Quantizer.ts"
import { treeDifferences } from "./Tree.ts"

/**
 * What the reference resolves and nothing here is named like. An attribute that an entry does have is compared nevertheless.
 */
const withoutCounterpart: Readonly<Record<string, string>> = {
  proxy_class: "the slot of a layer decides the proxy",
  reshaped_groupwise_shape: "groups are merged back into the shape of the input",
  is_scale_unsigned: "an option of the parts with a default",
  force_parameter: "how an argument is stored",
  scaling_stats_permute_dims: "the axes of the statistics are `permuteDims`",
  pre_scaling_min_val: "the reference declares it and does not hand it on to the part",
  restrict_pre_scaling_impl: "the same for weight normalization; the accumulator-aware entries have it",
  scaling_init_impl: "`scalingInit` takes the statistic itself",
  affine_rescaling: "the tree shows whether a scale is rescaled",
  affine_shift_scale: "a statistic is only multiplied: shifting it cannot run in the reference"
}

/** What two searches of one quantizer are called where each has an injector of its own; here their names tell them apart. */
const aliases: Readonly<Record<string, string>> = {
  stats_impl_scale: "scaling_stats_impl",
  stats_impl_zp: "zero_point_stats_impl"
}

/** What a quantizer that takes no statistics does not ask for, and what the reference resolves it to all the same. */
const unasked: Readonly<Record<string, unknown>> = { keepdim: false }

const quote = (u: unknown): string => JSON.stringify(u) ?? "nothing"
const differs = (path: string, expected: unknown, actual: unknown): ReadonlyArray<Difference> => [
  {
    path,
    text: `${path}: expected ${quote(expected)}, got ${actual instanceof tf.Tensor ? "a tensor" : quote(actual)}`
  }
]

// ---- values -------------------------------------------------------------------------------------------------

/** A number or a tensor of the shape; of several values only the shape, because they depend on weights that are not given. */
const sameTensor = (
  expected: { readonly shape: ReadonlyArray<number>; readonly data: ReadonlyArray<any> },
  u: unknown
) => {
  const shape = u instanceof tf.Tensor ? u.shape : []
  const [first] = expected.data
  if (expected.data.length > 1) return quote(shape) === quote(expected.shape)
  const actual = u instanceof tf.Tensor ? u.dataSync()[0] : u
  return typeof actual === "number" && Math.abs(actual - numberOf(first)) <= 1e-6 * Math.abs(numberOf(first))
}

const sameOption = (expected: unknown, actual: unknown): boolean =>
  isWritten(expected)
    ? sameTensor(expected, actual)
    : typeof expected === "string"
      ? camelOf(expected) === actual
      : quote(expected) === quote(actual)

const labelOf = (u: unknown): unknown => (typeof u === "object" && u !== null && "label" in u ? u.label : undefined)

// ---- options ------------------------------------------------------------------------------------------------

type Options = Readonly<Record<string, unknown>>

/** One attribute by its name in the reference, compared as it is resolved. */
const option = (
  injector: Injector.Any,
  module: Modules,
  name: string,
  expected: unknown,
  same: (actual: unknown) => boolean,
  show: (actual: unknown) => unknown = (actual) => actual
): ReadonlyArray<Difference> => {
  const attribute = camelOf(aliases[name] ?? name)
  const path = `resolved.${name}`
  if (!Injector.has(injector, attribute))
    return Object.hasOwn(withoutCounterpart, name)
      ? []
      : [{ path, text: `${path}: there is no attribute "${attribute}" (expected ${quote(expected)})` }]
  return Quantizer.resolved(
    injector,
    [attribute],
    module,
    (found) => (same(found[attribute]) ? [] : differs(path, expected, show(found[attribute]))),
    (reason) =>
      Object.hasOwn(unasked, name) && unasked[name] === expected ? [] : [{ path, text: `${path}: ${reason}` }]
  )
}

/** A searching statistic: what it begins with, how it searches and how often. */
const search = (injector: Injector.Any, module: Modules, name: string, written: Options): ReadonlyArray<Difference> => [
  ...option(
    injector,
    module,
    `${name}_init_op`,
    written.initial_statistic,
    (actual) => labelOf(actual) === written.initial_statistic,
    labelOf
  ),
  ...[
    ["mse_search_method", written.search],
    ["mse_iters", written.candidates]
  ].flatMap(([key, expected]) =>
    Injector.has(injector, camelOf(key as string))
      ? option(injector, module, key as string, expected, (actual) => sameOption(expected, actual))
      : []
  )
]

/** The reference's channels are the second axis of an activation, those of an entry here the last one. */
const channelsLast = (dims: ReadonlyArray<number>): ReadonlyArray<number> => [
  dims.length - 1,
  ...dims.slice(1).map((_, i) => i)
]

const optionDifferences = (
  injector: Injector.Any,
  module: Modules,
  { config, outputs: { resolved } }: Case
): ReadonlyArray<Difference> =>
  Object.entries(resolved as Options).flatMap(([name, expected]) => {
    if (name === "implementations")
      return Object.entries(expected as Options).flatMap(([part, label]) =>
        option(injector, module, part, label, (actual) => labelOf(actual) === label, labelOf)
      )
    if (name === "mse_scale" || name === "mse_zero_point") return search(injector, module, name, expected as Options)
    const turned = /permute_dims$/.test(name) && statesChannels(resolved, config.overrides)
    const given = turned ? channelsLast(expected as ReadonlyArray<number>) : expected
    return option(injector, module, name, given, (actual) => sameOption(given, actual))
  })

// ---- what a proxy says --------------------------------------------------------------------------------------

/** `roundToZero` of the part `RoundToZeroSte`. */
const roundingOf = (part: unknown): string | null => {
  const label = labelOf(part)
  return typeof label === "string"
    ? camelOf(
        label
          .replace(/Ste$/, "")
          .replace("DPURound", "Dpu")
          .replace(/\B[A-Z]/g, "_$&")
      )
    : null
}

const flagsOf = (role: Role, injector: Injector.Any, module: Modules): Options => {
  const read = (name: string, absent: unknown, from: (u: unknown) => unknown = (u) => u): unknown =>
    Injector.has(injector, name)
      ? Quantizer.resolved(injector, [name], module, (found) => from(found[name]) ?? absent, String)
      : absent
  return {
    is_signed: read("signed", null),
    // only weights and activations have a choice; a truncation keeps the range of its input
    is_narrow_range: read("narrowRange", role === "trunc" ? false : null),
    rounding_mode: read("floatToIntImpl", null, roundingOf)
  }
}

/** `null` in the reference: it does not know, or there is nothing to know. The rounding is spelt in both cases of letters. */
const flagDifferences = (outputs: any, flags: Options): ReadonlyArray<Difference> =>
  ["is_signed", "is_narrow_range", "rounding_mode"].flatMap((name) => {
    const expected = outputs[name]
    const wanted = typeof expected === "string" ? camelOf(expected) : expected
    return expected === null || wanted === flags[name] ? [] : differs(name, wanted, flags[name])
  })

// ---- names of the state -------------------------------------------------------------------------------------

const layers: Readonly<Record<Role, readonly [own: ReadonlyArray<string>, prefix: string]>> = {
  weight: [["weight", "bias"], "weight_quant.tensor_quant."],
  bias: [["weight", "bias"], "bias_quant.tensor_quant."],
  act: [[], "act_quant.fused_activation_quant_proxy.tensor_quant."],
  trunc: [[], "trunc_quant.tensor_quant."]
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf(".") + 1)

/** What of the memory is saved: running statistics, and constants that are held as state. */
const saved = /(^|\.)(runningStats|bitWidth)$/

/** Names of the saved; a parameter that waits for its statistics, and what they are collected in, are not. */
const savedNames = (brick: Brick.Brick, prefix: string): ReadonlyArray<string> => {
  const memory = Tree.leaves(brick.memory).map(([path]) => path)
  const waiting = new Set(
    memory.filter((path) => /(^|\.)(initDone|buffer)$/.test(path)).map((path) => `${parentOf(path)}value`)
  )
  const learned = Tree.leaves(brick.parameters)
    .map(([path]) => path)
    .filter((path) => !waiting.has(path))
  return [...learned, ...memory.filter((path) => saved.test(path))].map((path) => prefix + snakeOf(path))
}

const nameDifferences = (
  expected: ReadonlyArray<string>,
  role: Role,
  brick: Brick.Brick | undefined
): ReadonlyArray<Difference> => {
  const [own, prefix] = layers[role]
  const actual = [...own, ...(brick === undefined ? [] : savedNames(brick, prefix))]
  return quote([...expected].sort()) === quote([...actual].sort()) ? [] : differs("state_dict_keys", expected, actual)
}

// ---- the case -----------------------------------------------------------------------------------------------

/** A weight of that shape: the reference's is not given, and nothing that is compared depends on its values. */
const someWeight = (shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => ((i * 37) % 101) / 101 - 0.45),
    [...shape]
  )

const moduleOf = (role: Role, layer: string, shape: ReadonlyArray<number> | undefined): Modules => {
  if (shape === undefined) return Quantizer.weightless(layer)
  const bias = role === "bias" ? someWeight([shape[0] as number]) : undefined
  return Quantizer.moduleOf(layer, someWeight(shape), bias)
}

export const replayResolve = (testCase: Case): Outcome => {
  const { outputs, config } = testCase
  const role: Role = config.role
  const module = moduleOf(role, config.layer, config.weight_shape)
  return Quantizer.withEntry(testCase, role, (injector) => {
    const found = Quantizer.resolved<ReadonlyArray<Difference>>(
      injector,
      ["tensorQuant"],
      module,
      ({ tensorQuant }) => {
        const brick = tensorQuant as Brick.Brick | undefined
        const enabled = brick !== undefined
        return [
          ...(enabled === outputs.is_quant_enabled ? [] : differs("is_quant_enabled", !enabled, enabled)),
          ...(brick === undefined || outputs.tree === null ? [] : treeDifferences(outputs.tree, brick)),
          ...nameDifferences(outputs.state_dict_keys, role, brick)
        ]
      },
      (reason) => [{ path: "tensorQuant", text: reason }]
    )
    return outcomeOf(testCase, [
      ...found,
      ...flagDifferences(outputs, flagsOf(role, injector, module)),
      ...optionDifferences(injector, module, testCase)
    ])
  })
}

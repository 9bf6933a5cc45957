/**
 * Where steps after training take another way than the reference, on purpose.
 */
import type { Rule } from "./Deviations.ts"
import type * as Network from "./replay/ptq/Network.ts"

/** A convolution in groups that are not those of a plain depthwise one. */
const isGroupedFurther = ({ layer, args = {} }: Network.Written): boolean => {
  const { groups = 1, in_channels: inputs, out_channels: outputs } = args
  return groups > 1 && (/Transpose/.test(layer) || groups !== outputs || groups !== inputs)
}

/** The rules about steps after training. */
export const rules: ReadonlyArray<Rule> = [
  {
    id: "scale-must-be-fixed",
    reason:
      "Rounding by error feedback needs scales that stay. Where a scale is a statistic of the weight itself, the reference rounds each " +
      "column with the statistic of that column alone (nothing changes), or with statistics that move while the weights do; here that " +
      "is the failure ScaleNotFixed, which says how to fix the scale, and the weights stay. So where a scale of its own for rounding is.",
    matches: ({ config }, _, actual) =>
      actual.refused === "ScaleNotFixed" &&
      Object.values<any>(config.resolved ?? {}).some(
        ({ scaling_impl_type: kind, implementations = {} }) =>
          kind === "stats" || implementations.pre_scaling_impl !== undefined
      )
  },
  {
    id: "a-hard-tanh-clips-in-floats",
    reason:
      "QuantHardTanh leaves its clip to its quantizer, so in the reference there is no clip where quantizers are switched off, as in a " +
      "calibration, nor where the quantizer takes its range from statistics. Here the layer is a hard tanh in floats, too. With an " +
      "identity of the same range in its place nothing differs.",
    matches: (_, __, actual) => actual.withoutClip === "passed"
  },
  {
    id: "channels-in-groups-share-factors",
    reason:
      "Here channels that hang together are found one by one, so that a convolution in groups takes over factors as any other. The " +
      "reference goes by the axes of weights, which cannot say it for groups of several channels, or transposed ones, and leaves those " +
      "layers as they are. What the network computes afterwards is the same.",
    matches: ({ config }, _, actual) =>
      /^(EqualizeGraph|activation_equalization_mode|preprocess_for_quantize \+ quantize)$/.test(config.op) &&
      Array.isArray(config.model) &&
      config.model.some(isGroupedFurther) &&
      actual.differing.every((path: string) => !/^out (before|after|float|prepared)$/.test(path))
  },
  {
    id: "a-search-sees-the-activation-once",
    reason:
      "A search for a scale quantizes the values that its quantizer gets. The reference puts them through the whole layer while it " +
      "searches, so that a sigmoid or tanh is applied twice; what it finds serves other values than those that are quantized later.",
    matches: ({ config }, _, actual) =>
      /^(calibration|bias_correction)_mode$|^(gptq|gpfq|qronos|magr)$/.test(config.op) &&
      config.model.some(
        ({ layer, quantizers }: Network.Written) =>
          /^Quant(Sigmoid|Tanh)$/.test(layer) && /(MSE|HQO)$/.test(quantizers?.act ?? "")
      ) &&
      actual.differing.every((path: string) => !path.startsWith("out inside"))
  },
  {
    id: "an-addition-has-a-grid-of-its-own",
    reason:
      "The inputs of an addition must lie on one grid. The reference lets a rectifier before it and what it inserts on the other branch " +
      "share their scale but not their sign; here the addition quantizes both its inputs with one quantizer of its own, and the " +
      "rectifier keeps the scale of its own values. Outputs differ by a few steps of 8 bits (3 % at most).",
    matches: ({ config }, _, actual) =>
      config.op === "preprocess_for_quantize + quantize" &&
      typeof config.model === "string" &&
      actual.differing.every((path: string) => path === "scale relu.actQuant" || path === "out by a few steps")
  }
]

/**
 * Where steps after training take another way than the reference, on purpose.
 */
import type { Rule } from "./Deviations.ts"

/** The rules about steps after training. */
export const rules: ReadonlyArray<Rule> = [
  {
    id: "scale-must-be-fixed",
    reason:
      "Rounding by error feedback needs scales that stay. Where a scale is a statistic of the weight itself, the reference rounds each " +
      "column with the statistic of that column alone (nothing changes), or with statistics that move while the weights do; here that " +
      "is the failure ScaleNotFixed, which says how to fix the scale, and the weights stay.",
    matches: ({ config }, _, actual) =>
      actual.refused === "ScaleNotFixed" &&
      Object.values<any>(config.resolved ?? {}).some(({ scaling_impl_type: kind }) => kind === "stats")
  },
  {
    id: "a-hard-tanh-clips-in-floats",
    reason:
      "QuantHardTanh leaves its clip to its quantizer, so in the reference a calibration, which switches quantizers off, runs without " +
      "any clip. Here the layer is a hard tanh in floats, too.",
    matches: ({ config }, _, actual) =>
      config.op === "calibration_mode" &&
      config.model.some(({ layer }: { layer: string }) => layer === "QuantHardTanh") &&
      actual.differing.every((path: string) => path.startsWith("out inside"))
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

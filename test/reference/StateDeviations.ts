/**
 * Where breve saves and loads otherwise than the reference, on purpose.
 */
import type { Rule } from "./Deviations.ts"

const isAfterwards = (path: string): boolean =>
  /^(state_after|eval_output|weight_scale|state_dict_keys_after)\b/.test(path)

/** The rules about states. */
export const rules: ReadonlyArray<Rule> = [
  {
    id: "a-load-that-fails-leaves-everything",
    reason:
      "A load checks all names and shapes before it changes anything, so that a model is either the old one or the new one. " +
      "The reference copies what fits, rebuilds the quantizers and complains afterwards.",
    matches: ({ config, outputs }, _, actual) =>
      config.kind === "load" && outputs.load?.error !== undefined && actual.differing.every(isAfterwards)
  },
  {
    id: "an-average-of-nothing-is-not-saved",
    reason:
      "A running statistic that has seen nothing yet is left out, as a learned value is that has not begun: its 1 would be " +
      "taken for a statistic by whoever loads it.",
    matches: ({ config }, _, actual) =>
      config.kind === "keys" &&
      actual.differing.every((path: string) => path.startsWith("at_init.") && path.endsWith(".running_stats"))
  },
  {
    id: "a-loaded-average-goes-on",
    reason:
      "The next statistic is averaged with the one that was loaded. In the reference the counter begins at 0 again, and the " +
      "first statistic after a load is multiplied by the loaded one instead.",
    matches: ({ config }, _, actual) =>
      config.kind === "roundtrip" &&
      actual.differing.every((path: string) => path.startsWith("state_loaded.") && path.endsWith("stats.counter"))
  },
  {
    id: "a-bias-is-there-from-the-beginning",
    reason:
      "Whether a layer has a bias is said when it is made; a load never adds a parameter. The layer that is to adopt one is " +
      "made with it.",
    matches: ({ config }, _, actual) =>
      config.kind === "load_mode" && actual.differing.every((path: string) => path === "in_mode")
  }
]

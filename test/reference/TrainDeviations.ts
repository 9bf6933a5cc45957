/**
 * Where training takes another way than the reference, on purpose or because numbers leave both ways open.
 */
import type { Rule } from "./Deviations.ts"

/** The step from which on a difference can be seen at this path: a loss shows what the steps before it did. */
const stepOf = (path: string): number => {
  const [, what, step] = /^(loss|gradient of step) (\d+)/.exec(path) ?? []
  if (step !== undefined) return what === "loss" ? Number(step) - 1 : Number(step)
  return /^at the end |^in evaluation/.test(path) ? Number.POSITIVE_INFINITY : -1
}

/** The rules about training. */
export const rules: ReadonlyArray<Rule> = [
  {
    id: "the-order-of-a-sum-decides",
    reason:
      "The sums of a convolution of integers are exactly equal, or exactly 0, in two places; in float32 the order of summation decides " +
      "which of two equal ones is the largest (all the gradient of a statistic goes there), and on which side of a ReLU's corner a 0 " +
      "lies. The reference's order is not ours, nor is it the same on every machine. Up to that step all agree.",
    matches: ({ config }, _, actual) =>
      config.optimizer !== undefined &&
      actual.undecided !== undefined &&
      actual.differing.every((path: string) => stepOf(path) >= actual.undecided)
  }
]

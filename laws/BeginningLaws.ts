/**
 * The laws of what is learned: how it begins.
 *
 * Room: laws. Imports: its own room.
 */
import * as Claims from "./Claims.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import * as Sample from "./Sample.ts"
import * as Subject from "./Subject.ts"

/** A scale that is learned from a statistic on is that of the first tensor that it sees. */
export const beginning: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "beginning",
    states: "s max(-low, high) = max |x| of each part, x the first tensor; y after it has the same scale",
    claimed: "of learned float scales that begin as the largest magnitude, or as a percentile next to it",
    conditions: [Claims.beginning, Claims.knownRange]
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready), y: QuantizerLaw.inputs(ready) }),
  (ready, { x, y }) => {
    const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
    const units = Look.unitsOf(ready.promised.facts, x.shape)
    const largest = new Map<number, number>()
    for (const [i, unit] of units.entries())
      largest.set(unit, Math.max(largest.get(unit) ?? 0, Math.abs(x.values[i] as number)))
    // next to zero the least scale stands in for what is measured
    if ([...largest.values()].some((most) => most / Math.max(-low, high) < 1e-9)) return true
    const [first, after] = Look.tidied(() => {
      const state = Subject.begun(ready.quantizer, Sample.toTensor(x), ready.external)
      const begun = { ...ready, state }
      return [Look.look(begun, x), Look.look(begun, y)] as const
    })
    return Look.every(x.values.keys(), first, (i) => {
      const wanted = (largest.get(units[i] as number) as number) / Math.max(-low, high)
      const scale = first.scale[i] as number
      if (!(Math.abs(scale - wanted) <= 1e-5 * wanted)) return `with the scale ${scale}, not ${wanted}`
      return !Look.same(scale, after.scale[i]) && `with the scale ${scale}, and ${after.scale[i]} of what came next`
    })
  }
)

/** Every law of how what is learned begins. */
export const all: ReadonlyArray<QuantizerLaw.Any> = [beginning]

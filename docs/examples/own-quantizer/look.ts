import { Injector } from "breve"
import { Effect } from "effect"
import { Int4WeightSpread } from "./quantizer.ts"

/** A misspelt name behind the compiler's back: as from a file of settings. */
const settings: Injector.Attributes = { spraed: 2 }
const mistaken: Injector.Any = Injector.merge(Int4WeightSpread, Injector.make("settings", settings))

export const run = Effect.gen(function* () {
  const explained = yield* Injector.explain(Int4WeightSpread, "scalingStatsImpl")
  const findings = Injector.diagnose(mistaken, ["tensorQuant"]).filter(({ name }) => name in settings)
  return [explained, ...findings.map(({ message }) => message)]
})

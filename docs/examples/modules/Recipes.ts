import { Recipes } from "breve"
import { Effect } from "effect"

/** A ready-made recipe, and what it does. */
export const example = Effect.gen(function* () {
  const { about, steps } = yield* Recipes.find("int4-gptq")
  return { about, steps: steps.map(({ step }) => step) }
})

export const shows = {
  about: "weights of 4 bits, scales per channel, rounded by GPTQ, the columns with the largest inputs first",
  steps: ["calibrate", "gptq", "biasCorrection"]
}

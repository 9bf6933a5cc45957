/**
 * Recipes that are ready: data like those of anybody else.
 *
 * Room: ptq (level 5). Imports: effect, `tensor`, `./Recipe.ts`. Laws: test/ptq/Recipe.test.ts.
 */
import { Effect } from "effect"
import { nearest } from "../tensor/Nearest.ts"
import { InvalidRecipe } from "../tensor/StepErrors.ts"
import type { Recipe } from "./Recipe.ts"

/** Scales that stay when weights change, as steps that round want them. */
const fixed = { scalingImplType: "parameterFromStats" } as const

/** Weights of integers with a scale for each output channel. */
const perChannel = (bitWidth: number) =>
  ({ quantizer: "Int8WeightPerChannelFloat", options: { bitWidth, ...fixed } }) as const

const weights = (bitWidth: number): Recipe["quantizers"][number] => ({ match: "*weightQuant", ...perChannel(bitWidth) })

/** The recipes by name. */
export const all: Readonly<Record<string, Recipe>> = {
  int8: {
    name: "int8",
    about: "8 bits, scales per channel, rounded to nearest; biases corrected",
    quantizers: [weights(8)],
    steps: [{ step: "calibrate" }, { step: "biasCorrection", options: { create: false } }]
  },
  "int4-gptq": {
    name: "int4-gptq",
    about: "weights of 4 bits, scales per channel, rounded by GPTQ, the columns with the largest inputs first",
    quantizers: [weights(4)],
    steps: [
      { step: "calibrate" },
      { step: "gptq", options: { actOrder: true } },
      { step: "biasCorrection", options: { create: false } }
    ]
  },
  "int4-learned-round": {
    name: "int4-learned-round",
    about: "weights of 4 bits, scales per channel, each rounded up or down as was learned (AdaRound), layer by layer",
    quantizers: [weights(4)],
    steps: [
      { step: "calibrate" },
      { step: "adaRound", options: { iterations: 1000 } },
      { step: "biasCorrection", options: { create: false } }
    ]
  },
  "mixed-4-8": {
    name: "mixed-4-8",
    about: "weights of 4 or 8 bits, 5 on average at most, whichever the network needs where; rounded by GPTQ",
    quantizers: [weights(8)],
    steps: [
      {
        step: "mixedPrecision",
        options: { candidates: [perChannel(4), perChannel(8)], budget: { of: "size", mean: 5 } }
      },
      { step: "calibrate" },
      { step: "gptq", options: { actOrder: true } },
      { step: "biasCorrection", options: { create: false } }
    ]
  },
  "mx-fp4": {
    name: "mx-fp4",
    about: "weights of 4-bit minifloats (e2m1) in groups of 32 with a power of two as scale: OCP Microscaling",
    quantizers: [
      { match: "*weightQuant", quantizer: "MXFloat4e2m1Weight" },
      // a bias on the grid of its sums needs one scale for each of them, and groups have several
      { match: "*biasQuant", quantizer: null, optional: true }
    ],
    steps: [{ step: "calibrate" }, { step: "biasCorrection", options: { create: false } }]
  },
  binary: {
    name: "binary",
    about: "weights of one bit: plus or minus the mean magnitude of each output channel",
    needsTraining:
      "one bit leaves little of what a float network has learned: without training on, expect it to lose most of its accuracy",
    quantizers: [
      {
        match: "*weightQuant",
        quantizer: "SignedBinaryWeightPerTensorConst",
        options: { scalingImplType: "parameterFromStats", scalingStatsOp: "ave", scalingPerOutput: "channel" }
      }
    ],
    steps: [{ step: "calibrate" }, { step: "biasCorrection", options: { create: false } }]
  }
}

/** Their names. */
export const names: ReadonlyArray<string> = Object.keys(all)

/**
 * The recipe of a name.
 *
 * - errors: InvalidRecipe with the nearest name
 */
export const find = (name: string): Effect.Effect<Recipe, InvalidRecipe> => {
  const found = Object.hasOwn(all, name) ? all[name] : undefined
  if (found !== undefined) return Effect.succeed(found)
  const reason = `there is no such recipe, and no such file; there is ${names.join(", ")}`
  return Effect.fail(new InvalidRecipe({ recipe: name, place: "", reason, nearest: nearest(name, names) }))
}

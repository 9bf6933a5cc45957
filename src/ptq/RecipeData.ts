/**
 * Recipes as data: their schema, their texts, what is wrong with one whatever the model, and where two differ.
 *
 * Room: ptq (level 5). Imports: effect, the errors of `tensor`, `./Declared.ts`, `./Ptq.ts`, `./Steps.ts`. Laws: test/ptq/Recipe.test.ts.
 */
import { Effect, Result, Schema } from "effect"
import { nearest } from "../tensor/Nearest.ts"
import { InvalidRecipe } from "../tensor/StepErrors.ts"
import * as Declared from "./Declared.ts"
import * as Ptq from "./Ptq.ts"
import * as Steps from "./Steps.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Which quantizers become which; of several that match a name, the last counts. */
const Quantizer = Schema.Struct({
  /** names of quantizers in the model, or of places for one, `*` for any characters: `block*.weightQuant` */
  match: Schema.NonEmptyString,
  ...Declared.fields,
  /** a model may have no such quantizer; default: false */
  optional: Schema.optionalKey(Schema.Boolean)
})

const Step = Schema.Struct({
  step: Schema.NonEmptyString,
  options: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json))
})

const positive = Schema.Int.check(Schema.isGreaterThan(0))

/** A recipe as a file has it. */
export const Recipe = Schema.Struct({
  name: Schema.NonEmptyString,
  about: Schema.optionalKey(Schema.String),
  /** why what comes of it is no use before it was trained on; absent: it is */
  needsTraining: Schema.optionalKey(Schema.String),
  /** which samples the steps see: so many, drawn by the seed, in batches; default: 512, 64, 0 */
  calibration: Schema.optionalKey(
    Schema.Struct({
      samples: Schema.optionalKey(positive),
      batchSize: Schema.optionalKey(positive),
      seed: Schema.optionalKey(Schema.Int)
    })
  ),
  quantizers: Schema.Array(Quantizer),
  steps: Schema.Array(Step)
})
export type Recipe = (typeof Recipe)["Type"]

/** Which samples a recipe is for, nothing left open. */
export const calibrationOf = ({ calibration = {} }: Recipe) => ({
  samples: 512,
  batchSize: 64,
  seed: 0,
  ...calibration
})

// ---- texts --------------------------------------------------------------------------------------------------

/** An error with its place in a recipe. */
export const problem = (recipe: string, place: string, reason: string, near?: string): InvalidRecipe =>
  new InvalidRecipe({ recipe, place, reason, nearest: near })

const decoded = Schema.decodeUnknownResult(Recipe, { onExcessProperty: "error" })

const nameIn = (value: unknown, file: string): string =>
  typeof value === "object" && value !== null && "name" in value && typeof value.name === "string" ? value.name : file

/**
 * A recipe from plain data; what it names has to exist, apart from the model.
 *
 * - errors: InvalidRecipe, with the place in it and the nearest name
 */
export const fromJson = (value: unknown, file = "(unnamed)"): Effect.Effect<Recipe, InvalidRecipe> =>
  Effect.gen(function* () {
    const name = nameIn(value, file)
    const result = decoded(value)
    if (Result.isFailure(result)) return yield* problem(name, "", result.failure.message.replace(/\s+/g, " "))
    const recipe = result.success
    const wrong = wrongIn(recipe)
    return wrong === undefined ? recipe : yield* wrong
  })

/**
 * A recipe from a text of JSON.
 *
 * - errors: InvalidRecipe for what is no JSON, and as `fromJson`
 */
export const decode = (text: string, file = "(unnamed)"): Effect.Effect<Recipe, InvalidRecipe> =>
  Effect.flatMap(
    Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: (cause) => problem(file, "", `is no JSON (${cause instanceof Error ? cause.message : String(cause)})`)
    }),
    (value) => fromJson(value, file)
  )

/** The text of a recipe; the same recipe gives the same text. */
export const encode = (recipe: Recipe): string => `${JSON.stringify(recipe, null, 2)}\n`

// ---- checks -------------------------------------------------------------------------------------------------

const noBatches = { batches: Ptq.none }

const wrongStep = (recipe: string, { step, options }: Recipe["steps"][number], index: number) => {
  const place = `steps[${index}]`
  const entry = Object.hasOwn(Steps.all, step) ? Steps.all[step] : undefined
  if (entry === undefined) {
    const reason = `there is no step "${step}"; there is ${Steps.names.join(", ")}`
    return problem(recipe, `${place}.step`, reason, nearest(step, Steps.names))
  }
  const made = entry.make(options, noBatches)
  if (Result.isSuccess(made)) return undefined
  const { option, reason, nearest: near } = made.failure
  return problem(recipe, `${place}.options${option === "" ? "" : `.${option}`}`, `${step}: ${reason}`, near)
}

/** What is wrong with a recipe, whatever the model. */
export const wrongIn = ({ name, quantizers, steps }: Recipe): InvalidRecipe | undefined =>
  [
    ...quantizers.map((declared, i) => Declared.wrongIn(name, declared, `quantizers[${i}]`)),
    ...steps.map((step, i) => wrongStep(name, step, i))
  ].find((wrong) => wrong !== undefined)

// ---- comparing ----------------------------------------------------------------------------------------------

/** Where two recipes differ: `steps[0].options.actOrder`; absent is `undefined`. */
export interface Difference {
  readonly place: string
  readonly before: unknown
  readonly after: unknown
}

const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Every place where two recipes differ, in the order of the first. */
export const diff = (before: Recipe, after: Recipe): ReadonlyArray<Difference> => {
  const at = (place: string, key: string, isList: boolean): string =>
    isList ? `${place}[${key}]` : place === "" ? key : `${place}.${key}`
  const go = (place: string, a: unknown, b: unknown): ReadonlyArray<Difference> => {
    if (Object.is(a, b)) return []
    if (!isTree(a) || !isTree(b) || Array.isArray(a) !== Array.isArray(b)) return [{ place, before: a, after: b }]
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
    return keys.flatMap((key) => go(at(place, key, Array.isArray(a)), a[key], b[key]))
  }
  return go("", before, after)
}

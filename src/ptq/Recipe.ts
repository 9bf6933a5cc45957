/**
 * Recipes: how a model is quantized after training, as data. Quantizers by name pattern, then steps in order with their options.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `proxy` types, `tensor`, `./Change.ts`, `./Declared.ts`, `./Pattern.ts`,
 * `./Prepare.ts`, `./Ptq.ts`, `./Steps.ts`, `./Structure.ts`.
 * Laws: test/ptq/Recipe.test.ts.
 */
import { Effect, Result, Schema, type Scope } from "effect"
import type * as Layer from "../nn/Layer.ts"
import * as Slotted from "../nn/Slotted.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { nearest } from "../tensor/Nearest.ts"
import { InvalidRecipe } from "../tensor/StepErrors.ts"
import type * as Change from "./Change.ts"
import * as Declared from "./Declared.ts"
import * as Pattern from "./Pattern.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as Steps from "./Steps.ts"
import * as Structure from "./Structure.ts"

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

const problem = (recipe: string, place: string, reason: string, near?: string): InvalidRecipe =>
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
const wrongIn = ({ name, quantizers, steps }: Recipe): InvalidRecipe | undefined =>
  [
    ...quantizers.map((declared, i) => Declared.wrongIn(name, declared, `quantizers[${i}]`)),
    ...steps.map((step, i) => wrongStep(name, step, i))
  ].find((wrong) => wrong !== undefined)

/** The names of quantizers, and of the places where there could be one. */
const namesIn = (model: Layer.Stateful): ReadonlyArray<string> => [
  ...model.proxies.map(([name]) => name),
  ...Slotted.empty(model)
]

/** What is wrong with a recipe for a model: patterns that match nothing. */
const unmatched = ({ name, quantizers }: Recipe, model: Layer.Stateful): InvalidRecipe | undefined => {
  const names = namesIn(model)
  const index = quantizers.findIndex(
    ({ match, optional }) => optional !== true && !names.some((one) => Pattern.fits(match, one))
  )
  if (index < 0) return undefined
  const { match } = quantizers[index] as Recipe["quantizers"][number]
  const reason = `no quantizer of the model fits "${match}", and no place for one; it has ${names.join(", ") || "none"}`
  return problem(name, `quantizers[${index}].match`, reason, nearest(match, names))
}

// ---- running ------------------------------------------------------------------------------------------------

/** A step of a recipe, ready to run. */
export interface Planned<E, R> {
  readonly name: string
  readonly kind: Steps.Kind
  readonly step: Ptq.Step<Steps.StepError | E, R>
}

/** Which quantizers a recipe puts where in a model, by their names there; one that is shared under the first name that is meant. */
const chosenFor = ({ quantizers }: Recipe, model: Layer.Stateful): Readonly<Record<string, Declared.Declared>> => {
  const chosen = new Map<QuantProxy, readonly [name: string, declared: Declared.Declared]>()
  const declaredFor = (name: string): Declared.Declared | undefined => {
    const declared = quantizers.findLast(({ match }) => Pattern.fits(match, name))
    return declared && { quantizer: declared.quantizer, ...(declared.options && { options: declared.options }) }
  }
  for (const [name, proxy] of model.proxies) {
    const declared = declaredFor(name)
    if (declared !== undefined && !chosen.has(proxy)) chosen.set(proxy, [name, declared])
  }
  const filled = Slotted.empty(model).flatMap((name) => {
    const declared = declaredFor(name)
    return declared === undefined || declared.quantizer === null ? [] : [[name, declared] as const]
  })
  return Object.fromEntries([...chosen.values(), ...filled])
}

/** The first step of a recipe: its quantizers in the places that it names, for the weights as they are; nothing is calibrated. */
const quantized =
  (recipe: Recipe, options: Ptq.Reporting): Ptq.Step<Structure.RebuildError> =>
  (model) =>
    Effect.gen(function* () {
      const quantizers = chosenFor(recipe, model)
      const changes = [{ change: "quantizers", quantizers }] as const
      const next = yield* Structure.rebuilt(changes)(model)
      yield* Prepare.done(options, "Quantizers", Object.keys(quantizers), [], changes)
      return next
    })

/** A last step: what it leaves has all its scales, so that its state is whole. */
const settling =
  <E, R>(step: Ptq.Step<E, R>): Ptq.Step<E, R> =>
  (model) =>
    Effect.flatMap(step(model), Ptq.settled)

/**
 * The steps of a recipe for a model, in order, for whoever wants to look at the model between them. The first puts the quantizers in.
 *
 * - errors: InvalidRecipe where a pattern fits nothing in the model, or a step is none
 *
 * @category recipes
 * @since 0.4.0
 */
export const plan = <E = never, R = never>(
  recipe: Recipe,
  model: Layer.Stateful,
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting = {}
): Effect.Effect<ReadonlyArray<Planned<E, R>>, InvalidRecipe> =>
  Effect.gen(function* () {
    const wrong = wrongIn(recipe) ?? unmatched(recipe, model)
    if (wrong !== undefined) return yield* wrong
    const first =
      recipe.quantizers.length === 0
        ? []
        : [{ name: "quantize", kind: "preparing" as const, step: quantized(recipe, options) }]
    const rest = recipe.steps.flatMap(({ step, options: given }) => {
      const entry = Steps.all[step]
      const made = entry?.make(given, { batches, ...options })
      return entry === undefined || made === undefined || Result.isFailure(made)
        ? []
        : [{ name: step, kind: entry.kind, step: made.success }]
    })
    const all = [...first, ...rest]
    return all.map((one, i) => (i === all.length - 1 ? { ...one, step: settling(one.step) } : one))
  })

/** All steps of a recipe, one after the other, and what they told of the structure. */
const taken = <E, R, M extends Ptq.Model>(
  recipe: Recipe,
  batches: Ptq.Batches<E, R>,
  options: Ptq.Reporting,
  model: M
): Effect.Effect<
  { readonly model: M; readonly told: Structure.Structure },
  InvalidRecipe | Steps.StepError | E,
  R | Scope.Scope
> =>
  Effect.gen(function* () {
    const told: Array<Change.Change> = []
    const report = (event: Ptq.Event): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (event._tag === "StepDone") told.push(...(event.changes ?? []))
        return Ptq.told(options, event)
      })
    const steps = yield* plan(recipe, model, batches, { report })
    const reached = { model }
    for (const { step } of steps) reached.model = yield* step(reached.model)
    return { model: reached.model, told }
  })

/**
 * Quantizes a model by a recipe. It is checked before the first step: names of quantizers, steps and options, and that every pattern
 * fits something. The same recipe, model and batches give the same bits.
 *
 * ```ts
 * const quantized = yield* Recipe.run(yield* Recipes.find("int4-gptq"), batches)(model)
 * ```
 *
 * - formula:  its steps, one after the other
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   InvalidRecipe, with the place in it and the nearest name; what its steps fail with; the model is never changed
 * - source:   none
 *
 * @category recipes
 * @since 0.4.0
 */
export const run =
  <E = never, R = never>(
    recipe: Recipe,
    batches: Ptq.Batches<E, R>,
    options: Ptq.Reporting = {}
  ): Ptq.Step<InvalidRecipe | Steps.StepError | E, R> =>
  <M extends Ptq.Model>(model: M) =>
    Effect.map(taken(recipe, batches, options, model), (reached) => reached.model)

/** What comes of a recipe: a model, and its structure as data, by which another model becomes one that takes its state. */
export interface Followed<M> {
  readonly model: M
  readonly structure: Structure.Structure
}

/**
 * Quantizes a model by a recipe as `run` does, and says what became of the structure of the model: which quantizers and layers stand
 * where, and the shapes of parameters that changed. What `Structure.rebuilt` makes of it takes the state of the answer.
 *
 * - formula:  as `run`
 * - shapes:   as `run`
 * - gradient: none
 * - errors:   as `run`
 * - source:   none
 *
 * @category recipes
 * @since 0.4.0
 */
export const follow =
  <E = never, R = never>(recipe: Recipe, batches: Ptq.Batches<E, R>, options: Ptq.Reporting = {}) =>
  <M extends Ptq.Model>(model: M): Effect.Effect<Followed<M>, InvalidRecipe | Steps.StepError | E, R | Scope.Scope> =>
    Effect.gen(function* () {
      const reached = yield* taken(recipe, batches, options, model)
      return { model: reached.model, structure: yield* Structure.between(model, reached.told, reached.model) }
    })

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

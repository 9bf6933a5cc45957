/**
 * Recipes: how a model is quantized after training, as data (`RecipeData.ts`). Quantizers by name pattern, then steps in order.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `proxy` types, `tensor`, and its own room.
 * Laws: test/ptq/Recipe.test.ts.
 */
import { Effect, Result, type Scope } from "effect"
import type * as Layer from "../nn/Layer.ts"
import * as Slotted from "../nn/Slotted.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { nearest } from "../tensor/Nearest.ts"
import type { InvalidRecipe } from "../tensor/StepErrors.ts"
import type * as Change from "./Change.ts"
import type * as Declared from "./Declared.ts"
import * as Pattern from "./Pattern.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import { problem, type Recipe, wrongIn } from "./RecipeData.ts"
import * as Steps from "./Steps.ts"
import * as Structure from "./Structure.ts"

export { calibrationOf, type Difference, decode, diff, encode, fromJson, Recipe } from "./RecipeData.ts"

// ---- checks -------------------------------------------------------------------------------------------------

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

/**
 * Bits where they count: the step that gives each layer the weight quantizer, of several, by which the network loses least in a budget.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `tensor`, `./MixedPrecision.ts`, `./Prepare.ts`, `./Ptq.ts`, `./Structure.ts`.
 * Laws: test/ptq/Choose.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import type {
  InvalidOptions,
  InvalidRecipe,
  NoCalibrationData,
  NonFiniteActivations,
  UnknownLayer
} from "../tensor/Errors.ts"
import * as MixedPrecision from "./MixedPrecision.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"
import * as Structure from "./Structure.ts"

export interface Options extends Ptq.Reporting {
  /** the weight quantizers to choose from */
  readonly candidates: ReadonlyArray<MixedPrecision.Candidate>
  readonly budget: MixedPrecision.Budget
  /** default: "exact" */
  readonly search?: "exact" | "greedy"
}

/** What can be wrong, apart from the stream. */
export type AllocateError =
  | InvalidOptions
  | InvalidRecipe
  | NoCalibrationData
  | NonFiniteActivations
  | UnknownLayer
  | Layer.BuildError
  | Layer.InputError

const step = "Allocate"

/**
 * Measures each candidate on each layer that has a weight quantizer, chooses within the budget, and puts what was chosen in its place. The
 * choice is told to `report` with the structure, so that it is saved and read with the model. Steps that round come after it.
 *
 * - formula:  `MixedPrecision.measure`, `MixedPrecision.choose`, then these quantizers for the weights as they are
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   those of the two; the model is never changed
 * - source:   Dong et al. 2019, arXiv:1905.03696 (there by the Hessian); Brevitas has none
 *
 * @category choosing
 * @since 0.5.0
 */
export const allocate =
  <E = never, R = never>(batches: Ptq.Batches<E, R>, options: Options): Ptq.Step<AllocateError | E, R> =>
  (model) =>
    Effect.gen(function* () {
      const { candidates, budget, search, report } = options
      const measured = yield* MixedPrecision.measure(model, batches, candidates, { report })
      const chosen = yield* MixedPrecision.choose(measured, budget, search)
      const quantizers = Object.fromEntries(
        MixedPrecision.quantizers(chosen).map(({ match, ...declared }) => [match, declared])
      )
      const changes = [{ change: "quantizers", quantizers }] as const
      const next = yield* Structure.rebuilt(changes)(model)
      const skipped = Ptq.weighted(model)
        .filter(({ layer }) => layer.weightQuant === undefined)
        .map(({ name }) => ({ layer: name, reason: "it has no weight quantizer" }))
      const layers = chosen.layers.map(({ layer }) => layer)
      yield* Prepare.done(options, step, layers, skipped, changes)
      return next
    })

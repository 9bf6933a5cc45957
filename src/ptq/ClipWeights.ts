/**
 * Float weights of a model clipped to a threshold.
 *
 * Room: ptq (level 5). Imports: effect, `nn` types, `tensor`, `./Prepare.ts`, `./Ptq.ts`. Laws: test/ptq/Prepare.test.ts.
 */
import { Effect } from "effect"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { NonFiniteWeights } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Prepare from "./Prepare.ts"
import * as Ptq from "./Ptq.ts"

export interface Options extends Ptq.Reporting {
  /** the largest magnitude that stays; default: 15 */
  readonly threshold?: number
}

const step = "ClipWeights"

const isMultiplied = ({ layer: { form } }: Ptq.Named): boolean =>
  form?.op === "linear" || form?.op === "conv" || form?.op === "convTranspose"

/**
 * Clips the weights of linear layers and convolutions, not their biases: a few far outliers would else set the scale of all others.
 *
 * - formula:  `w <- min(max(w, -threshold), threshold)`
 * - shapes:   those of the weights
 * - gradient: none
 * - errors:   InvalidOptions where the threshold is not above 0; NonFiniteWeights, which names the layer; the model is never changed
 * - source:   Brevitas, graph/calibrate.py (ClipFloatWeights)
 *
 * @category preparing
 * @since 0.4.0
 */
export const clip =
  (options: Options = {}): Ptq.Step<InvalidOptions | NonFiniteWeights | ResolutionError> =>
  (model) =>
    Effect.gen(function* () {
      const { threshold = 15 } = options
      if (!(threshold > 0))
        return yield* new InvalidOptions({
          what: step,
          option: "threshold",
          reason: `must be a number above 0; it is ${threshold}`
        })
      const layers = Ptq.weighted(model).filter(isMultiplied)
      const weights = yield* Prepare.weightsOf(
        layers.map(({ name, layer }) => ({ name, own: layer.own })),
        step
      )
      const far = layers.filter(({ layer }) =>
        weights.get(layer.own)?.weight?.data.some((w) => Math.abs(w) > threshold)
      )
      const clipped = new Map(
        far.map(({ layer: { own } }) => {
          const { weight, ...rest } = weights.get(own) as Readonly<Record<string, Ptq.Host>> & { weight: Ptq.Host }
          const data = weight.data.map((w) => Math.min(Math.max(w, -threshold), threshold))
          return [own, { ...rest, weight: { ...weight, data } }] as const
        })
      )
      const next = yield* Prepare.rewritten(model, clipped, "changed")
      yield* Prepare.done(
        options,
        step,
        far.map(({ name }) => name)
      )
      return next
    })

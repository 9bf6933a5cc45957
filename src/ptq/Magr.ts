/**
 * MagR over a model: weights with smaller largest magnitudes, before they are rounded.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `./MagrMath.ts`, `./Layerwise.ts`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import { Result } from "effect"
import * as Layerwise from "./Layerwise.ts"
import * as MagrMath from "./MagrMath.ts"
import type * as Ptq from "./Ptq.ts"

export interface Options extends Omit<Layerwise.Options, "original" | "accumulator"> {
  /** how much the largest magnitude counts; default: 0.1 */
  readonly alpha?: number
  /** default: 10 */
  readonly steps?: number
  /** where the search for the largest eigenvalue of a layer begins, for each of its groups; default: ones */
  readonly start?: Readonly<Record<string, ReadonlyArray<ArrayLike<number>>>>
}

/**
 * Changes the weights of linear and convolutional layers so that their largest magnitudes shrink and their outputs on these batches
 * change little; all layers at once. Learned scales stay as they are: let the quantizers begin anew afterwards where they should follow.
 *
 * - formula:  `MagrMath.magr` with `H = 2 X^T X / n` of the layer's inputs
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; NonFiniteActivations, which names the layer; InputError of the model; the model is
 *   never changed
 * - source:   Zhang et al. 2024, arXiv:2406.00800
 *
 * @category preparing
 * @since 0.3.0
 */
export const magr = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Ptq.Step<Layerwise.StepError | E, R> =>
  Layerwise.run(
    batches,
    {
      name: "Magr",
      rounds: false,
      float: false,
      together: true,
      change: ({ name, group }, { weight }, { quantized }) => {
        const start = options.start?.[name]?.[group]
        const { alpha = 0.1, steps = 10 } = options
        return Result.succeed(MagrMath.magr(weight, quantized, { alpha, steps, ...(start && { start }) }))
      }
    },
    options
  )

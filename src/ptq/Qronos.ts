/**
 * Qronos over a model: the errors of the inputs corrected first, then those of the rounding spread.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `./QronosMath.ts`, `./Layerwise.ts`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as Layerwise from "./Layerwise.ts"
import type * as Ptq from "./Ptq.ts"
import * as QronosMath from "./QronosMath.ts"

export interface Options extends Layerwise.Options {
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
  /** in how many parts the columns are done; changes nothing but the speed and last bits; default: parts of 32 columns */
  readonly blocks?: number
  /** added to the diagonal, in units of the largest eigenvalue; default: 1e-6 */
  readonly damping?: number
  /** where the search for the largest eigenvalue of a layer begins, for each of its groups; default: ones */
  readonly start?: Readonly<Record<string, ReadonlyArray<ArrayLike<number>>>>
}

/**
 * Rounds the weights of linear and convolutional layers so that their outputs in the quantized network are near those of the float
 * one, layer after layer. What is stored is the float weight whose quantization is the result, as with `Gptq.gptq`.
 *
 * - formula:  `QronosMath.qronos` with the covariances of the layer's inputs in the quantized and in the float network
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; ScaleNotFixed; AccumulatorUnfit, NonFiniteActivations and SingularHessian, which name the layer; InputError of
 *   the model; the model is never changed
 * - source:   Zhang et al. 2025, arXiv:2505.11695; with an accumulator Colbert et al. 2024, arXiv:2409.17092
 *
 * @category rounding
 * @since 0.3.0
 */
export const qronos = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Ptq.Step<Layerwise.StepError | E, R> =>
  Layerwise.run(
    batches,
    {
      name: "Qronos",
      rounds: true,
      float: true,
      change: ({ name, group }, rounding, seen) => {
        const blockSize =
          options.blocks === undefined ? 32 : Math.max(1, Math.ceil(rounding.weight.columns / options.blocks))
        const start = options.start?.[name]?.[group]
        const { actOrder = false, damping = 1e-6 } = options
        return QronosMath.qronos(rounding, seen, {
          actOrder,
          damping,
          blockSize,
          keep: Layerwise.kept(options),
          ...(start && { start })
        })
      }
    },
    options
  )

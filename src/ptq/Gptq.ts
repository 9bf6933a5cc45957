/**
 * GPTQ over a model: the weights of each layer rounded column by column, the errors spread over the columns to come.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `./GptqMath.ts`, `./Layerwise.ts`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as GptqMath from "./GptqMath.ts"
import * as Layerwise from "./Layerwise.ts"
import type * as Ptq from "./Ptq.ts"

export interface Options extends Omit<Layerwise.Options, "original"> {
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
  /** in how many parts the columns are done; changes nothing but the speed and last bits; default: parts of 32 columns */
  readonly blocks?: number
  /** added to the diagonal, in units of its mean; default: 0.01 */
  readonly damping?: number
}

/**
 * Rounds the weights of linear and convolutional layers so that their outputs on these batches change little, layer after layer. What
 * is stored is the float weight whose quantization is the result: the scales of the quantizers should be fixed, so learned or constant
 * (`scalingImplType: "parameterFromStats"`), and are those of the weight before.
 *
 * - formula:  `GptqMath.gptq` with `H = 2 X^T X / n` of the layer's inputs, convolutions as products with windows, group by group
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; ScaleNotFixed; AccumulatorUnfit, NonFiniteActivations and SingularHessian, which name the layer; InputError of
 *   the model; the model is never changed
 * - source:   Frantar et al. 2022, arXiv:2210.17323; with an accumulator Colbert et al. 2024, arXiv:2409.17092
 *
 * @category rounding
 * @since 0.3.0
 */
export const gptq = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Ptq.Step<Layerwise.StepError | E, R> =>
  Layerwise.run(
    batches,
    {
      name: "Gptq",
      rounds: true,
      float: false,
      change: (_, rounding, { quantized }) => {
        const blockSize =
          options.blocks === undefined ? 32 : Math.max(1, Math.ceil(rounding.weight.columns / options.blocks))
        const { actOrder = false, damping = 0.01 } = options
        return GptqMath.gptq(rounding, quantized, { actOrder, damping, blockSize, overwrite: true })
      }
    },
    options
  )

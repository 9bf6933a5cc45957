/**
 * Greedy path following quantization over a model.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `./GpfqMath.ts`, `./Layerwise.ts`, `./Ptq.ts`. Laws: test/ptq/Steps.test.ts.
 */
import { Result } from "effect"
import * as GpfqMath from "./GpfqMath.ts"
import * as Layerwise from "./Layerwise.ts"
import type * as Ptq from "./Ptq.ts"

export interface Options extends Layerwise.Options {
  /** the columns with the largest inputs first; default: false */
  readonly actOrder?: boolean
}

/**
 * Rounds the weights of linear and convolutional layers so that their outputs in the quantized network are near those of the float
 * one, layer after layer. What is stored is the float weight whose quantization is the result, as with `Gptq.gptq`.
 *
 * - formula:  `GpfqMath.gpfq` with the covariances of the layer's inputs in the quantized and in the float network
 * - shapes:   as the model takes them
 * - gradient: none
 * - errors:   NoCalibrationData; ScaleNotFixed; AccumulatorUnfit and NonFiniteActivations, which name the layer; InputError of the model; the
 *   model is never changed
 * - source:   Lybrand and Saab 2021, arXiv:2010.15487; Zhang, Zhou and Saab 2023, arXiv:2201.11113; with an accumulator Colbert et al.
 *   2024, arXiv:2409.17092
 *
 * @category rounding
 * @since 0.3.0
 */
export const gpfq = <E = never, R = never>(
  batches: Ptq.Batches<E, R>,
  options: Options = {}
): Ptq.Step<Layerwise.StepError | E, R> =>
  Layerwise.run(
    batches,
    {
      name: "Gpfq",
      rounds: true,
      float: true,
      change: (_, rounding, seen) =>
        Result.succeed(
          GpfqMath.gpfq(rounding, seen, {
            actOrder: options.actOrder ?? false,
            keep: Layerwise.kept(options),
            overwrite: true
          })
        )
    },
    options
  )

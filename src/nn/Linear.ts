/**
 * The quantized fully connected layer.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `op`, `tensor`, `./Weighted.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as Linalg from "../op/Linalg.ts"
import type * as Layer from "./Layer.ts"
import type { Overrides } from "./Slot.ts"
import * as Weighted from "./Weighted.ts"

export interface Options<PW, W, PB, B, PI, I, PO, O> extends Weighted.Options<PW, W, PB, B, PI, I, PO, O> {
  readonly inFeatures: number
  readonly outFeatures: number
}

/** `y = x W + b` with `x [n, in]`, `W [in, out]`, `b [out]`. */
export const quantLinear = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: Options<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> =>
  Weighted.make(
    {
      kind: "QuantLinear",
      weightShape: [options.inFeatures, options.outFeatures],
      fanIn: options.inFeatures,
      outChannels: options.outFeatures,
      outputChannelAxis: 1,
      products: options.inFeatures,
      formula: (x, weight, bias) =>
        Linalg.linear(x as tf.Tensor2D, weight as tf.Tensor2D, bias as tf.Tensor1D | undefined)
    },
    options as unknown as Weighted.Erased
  )

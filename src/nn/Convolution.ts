/**
 * The quantized two-dimensional convolution.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `op`, `tensor`, `./Weighted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as Convolution from "../op/Convolution.ts"
import type { ResolutionError } from "../tensor/Errors.ts"
import type { Overrides } from "./Slot.ts"
import * as Weighted from "./Weighted.ts"

export interface Options<PW, W, PB, B, PI, I, PO, O> extends Weighted.Options<PW, W, PB, B, PI, I, PO, O> {
  readonly inChannels: number
  readonly outChannels: number
  readonly kernelSize: readonly [height: number, width: number]
  /** default: 1 */
  readonly strides?: readonly [number, number]
  /** default: "valid" */
  readonly padding?: "same" | "valid" | number
  /** default: 1 */
  readonly dilations?: readonly [number, number]
}

/** A convolution of `x [n, h, w, in]` with `W [kh, kw, in, out]`, plus `b [out]`. */
export const quantConv2d = <
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
): Effect.Effect<Weighted.Weighted, ResolutionError, Scope.Scope> => {
  const { inChannels, outChannels, kernelSize, strides = [1, 1], padding = "valid", dilations = [1, 1] } = options
  return Weighted.make(
    {
      kind: "QuantConv2d",
      weightShape: [...kernelSize, inChannels, outChannels],
      fanIn: kernelSize[0] * kernelSize[1] * inChannels,
      outChannels,
      outputChannelAxis: 3,
      formula: (x, weight, bias) => {
        const y = Convolution.conv2d(x as tf.Tensor4D, weight as tf.Tensor4D, { strides, pad: padding, dilations })
        return bias === undefined ? y : tf.add(y, bias)
      }
    },
    options as unknown as Weighted.Erased
  )
}

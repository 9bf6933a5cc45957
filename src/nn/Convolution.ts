/**
 * Quantized convolutions of sequences, images and volumes.
 *
 * Room: nn (level 4). Imports: effect, `op`, `tensor`, `./Weighted.ts`, `./Weightless.ts`.
 */
import type { Effect, Scope } from "effect"
import * as Convolution from "../op/Convolution.ts"
import * as ConvolutionNd from "../op/ConvolutionNd.ts"
import { type Form, padOf } from "./Form.ts"
import type * as Layer from "./Layer.ts"
import type { Overrides } from "./Slot.ts"
import * as Weighted from "./Weighted.ts"
import * as Weightless from "./Weightless.ts"

type Pair = readonly [number, number]
type Triple = readonly [number, number, number]

/** What all convolutions have in common; `Size` has a number for each axis. */
interface Common<Size> {
  readonly inChannels: number
  readonly outChannels: number
  readonly kernelSize: Size
  /** default: 1 */
  readonly strides?: Size
  /** default: 1 */
  readonly dilations?: Size
  /** into how many groups the channels are divided, none of which meets another one; as many as channels: depthwise; default: 1 */
  readonly groups?: number
}

export interface Options1d<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Common<readonly [number]> {
  /** default: "valid" */
  readonly padding?: "same" | "valid" | number | Pair
}
export interface Options<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Common<Pair> {
  /** on all sides, or `[[top, bottom], [left, right]]`; default: "valid" */
  readonly padding?: "same" | "valid" | number | readonly [Pair, Pair]
}
export interface Options3d<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Common<Triple> {
  /** on all sides, or `[[front, back], [top, bottom], [left, right]]`; default: "valid" */
  readonly padding?: "same" | "valid" | number | readonly [Pair, Pair, Pair]
}

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

const made = (
  kind: string,
  { inChannels, outChannels, kernelSize, strides = [], dilations = [], groups = 1 }: Common<ReadonlyArray<number>>,
  form: Form,
  formula: Weighted.Shape["formula"],
  options: unknown
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> =>
  Weighted.make(
    {
      kind,
      form,
      weightShape: [...kernelSize, inChannels / groups, outChannels],
      fanIn: product(kernelSize) * (inChannels / groups),
      outChannels,
      outputChannelAxis: kernelSize.length + 1,
      products: (weight) => product(weight.slice(0, -1)),
      check: () =>
        Weightless.wrongIn(kind, {
          inChannels: [inChannels],
          outChannels: [outChannels],
          kernelSize,
          strides,
          dilations
        }) ?? Weighted.wholeGroups(kind, inChannels, outChannels, groups),
      formula: (x, weight, bias) => {
        const channels = (weight.shape.at(-2) as number) * groups
        Weightless.expectShape(kind, x, ["n", ...Weightless.imageAxes(kernelSize.length), channels])
        return formula(x, weight, bias)
      }
    },
    options as Weighted.Erased
  )

/**
 * A quantized convolution of sequences.
 *
 * - formula:  `y = conv1d(Q(x), Q(W)) + Q(b)`, as `Convolution.conv1d` of the ops, each `Q` where there is a quantizer
 * - shapes:   `x [n, w, in], W [k, in / groups, out], b [out] -> y [n, ow, out]`
 * - gradient: through every quantizer
 * - errors:   InvalidOptions where sizes are not above 0 or the groups do not divide the channels; ShapeMismatch for other inputs
 * - source:   Brevitas, nn/quant_conv.py
 *
 * @since 0.3.0
 */
export const quantConv1d = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: Options1d<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { strides = [1], padding: pad = "valid", dilations = [1], groups = 1 } = options
  const sides = typeof pad === "string" || typeof pad === "number" ? pad : [pad]
  const form: Form = { op: "conv", strides, dilations, groups, pad: padOf(sides, 1) }
  const lie = { stride: strides[0], pad, dilation: dilations[0], groups }
  return made("QuantConv1d", options, form, (x, weight, bias) => ConvolutionNd.conv1d(x, weight, lie, bias), options)
}

/**
 * A quantized convolution of images.
 *
 * - formula:  `y = conv2d(Q(x), Q(W)) + Q(b)`, as `Convolution.conv2d` of the ops, each `Q` where there is a quantizer
 * - shapes:   `x [n, h, w, in], W [kh, kw, in / groups, out], b [out] -> y [n, oh, ow, out]`
 * - gradient: through every quantizer
 * - errors:   InvalidOptions where sizes are not above 0 or the groups do not divide the channels; ShapeMismatch for other inputs
 * - source:   Brevitas, nn/quant_conv.py
 *
 * @since 0.1.0
 */
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
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { strides = [1, 1], padding: pad = "valid", dilations = [1, 1], groups = 1 } = options
  const form: Form = { op: "conv", strides, dilations, groups, pad: padOf(pad, 2) }
  const lie = { strides, pad, dilations, groups }
  return made("QuantConv2d", options, form, (x, weight, bias) => Convolution.conv2d(x, weight, lie, bias), options)
}

/**
 * A quantized convolution of volumes.
 *
 * - formula:  `y = conv3d(Q(x), Q(W)) + Q(b)`, as `Convolution.conv3d` of the ops, each `Q` where there is a quantizer
 * - shapes:   `x [n, d, h, w, in], W [kd, kh, kw, in / groups, out], b [out] -> y [n, od, oh, ow, out]`
 * - gradient: through every quantizer
 * - errors:   InvalidOptions where sizes are not above 0 or the groups do not divide the channels; ShapeMismatch for other inputs
 * - source:   Brevitas, nn/quant_conv.py
 *
 * @since 0.3.0
 */
export const quantConv3d = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: Options3d<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { strides = [1, 1, 1], padding: pad = "valid", dilations = [1, 1, 1], groups = 1 } = options
  const form: Form = { op: "conv", strides, dilations, groups, pad: padOf(pad, 3) }
  const lie = { strides, pad, dilations, groups }
  return made("QuantConv3d", options, form, (x, weight, bias) => ConvolutionNd.conv3d(x, weight, lie, bias), options)
}

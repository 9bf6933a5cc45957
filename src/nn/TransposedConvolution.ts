/**
 * Quantized transposed convolutions of sequences, images and volumes.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `tensor`, `./Layer.ts`, `./Weighted.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as ConvolutionTransposed from "../op/ConvolutionTransposed.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type * as Layer from "./Layer.ts"
import type { Overrides } from "./Slot.ts"
import * as Weighted from "./Weighted.ts"
import * as Weightless from "./Weightless.ts"

type Pair = readonly [number, number]

/** `Size` has a number for each axis of the image. */
interface Windows<Size extends ReadonlyArray<number>> {
  readonly inChannels: number
  readonly outChannels: number
  readonly kernelSize: Size
  /** default: 1 */
  readonly strides?: Size
  /** default: 1 */
  readonly dilations?: Size
  /** what the convolution that is transposed adds on all sides, or before and after each axis; default: 0 */
  readonly padding?: number | ReadonlyArray<Pair>
  /** how many elements more there are at the end, fewer than the stride; default: 0 */
  readonly outputPadding?: Size
  /** default: 1 */
  readonly groups?: number
}

export interface Options1d<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Windows<readonly [number]> {}
export interface Options2d<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Windows<Pair> {}
export interface Options3d<PW, W, PB, B, PI, I, PO, O>
  extends Weighted.Options<PW, W, PB, B, PI, I, PO, O>,
    Windows<readonly [number, number, number]> {}

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

const divisor = (a: number, b: number): number => (b > 0 ? divisor(b, a % b) : a)

/** How many taps lie between two that meet at one output: the stride, but for what it has in common with the dilation. */
const apart = (strides: ReadonlyArray<number>, dilations: ReadonlyArray<number>): ReadonlyArray<number> =>
  strides.map((stride, axis) => stride / divisor(stride, dilations[axis] ?? 1))

/** The outputs of all groups side by side: scales along them are those of one group, over and over. */
const perGroup = (weight: Layer.Value, axis: number, groups: number): Layer.Value => {
  if (groups === 1 || !QuantTensor.isIntegral(weight) || (weight.scale.shape[axis] ?? 1) === 1) return weight
  return QuantTensor.map(weight, (part) =>
    (part.shape[axis] ?? 1) === 1
      ? part
      : tf.concat(
          Array.from({ length: groups }, () => part),
          axis
        )
  )
}

const made = (
  kind: string,
  options: Windows<ReadonlyArray<number>>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { inChannels, outChannels, kernelSize, groups = 1 } = options
  const ones = kernelSize.map(() => 1)
  const { strides = ones, dilations = ones, padding = 0, outputPadding = kernelSize.map(() => 0) } = options
  const pad = typeof padding === "number" ? kernelSize.map(() => [padding, padding] as const) : padding
  const lie = { strides, pad, outputPadding, dilations, groups }
  const tooMuch = outputPadding.findIndex(
    (extra, axis) =>
      !(Number.isInteger(extra) && extra >= 0 && extra < Math.max(strides[axis] ?? 1, dilations[axis] ?? 1))
  )
  return Weighted.make(
    {
      kind,
      form: { op: "convTranspose", strides, pad, dilations, outputPadding, groups },
      weightShape: [...kernelSize, outChannels / groups, inChannels],
      fanIn: product(kernelSize) * (outChannels / groups),
      outChannels,
      outputChannelAxis: kernelSize.length,
      products: (weight) =>
        QuantTensor.transposedProducts(kernelSize, apart(strides, dilations), weight.at(-1) as number, groups),
      perOutput: (weight) => perGroup(weight, kernelSize.length, groups),
      check: () =>
        Weightless.wrongIn(kind, {
          inChannels: [inChannels],
          outChannels: [outChannels],
          kernelSize,
          strides,
          dilations
        }) ??
        Weighted.wholeGroups(kind, inChannels, outChannels, groups) ??
        (tooMuch === -1
          ? undefined
          : new InvalidOptions({
              what: kind,
              option: "outputPadding",
              reason: `must be a whole number less than the stride or the dilation; on axis ${tooMuch} it is ${outputPadding[tooMuch]}`
            })),
      formula: (x, weight, bias) => {
        const channels = weight.shape.at(-1) as number
        Weightless.expectShape(kind, x, ["n", ...Weightless.imageAxes(kernelSize.length), channels])
        return ConvolutionTransposed.convTranspose(x, weight, lie, bias)
      }
    },
    options as unknown as Weighted.Erased
  )
}

/**
 * A quantized transposed convolution of sequences.
 *
 * - formula:  `y = convTranspose(Q(x), Q(W)) + Q(b)`, as `ConvolutionTransposed.convTranspose`, each `Q` where there is a quantizer
 * - shapes:   `x [n, w, in], W [k, out / groups, in], b [out] -> y [n, ow, out]`
 * - gradient: through every quantizer
 * - errors:   InvalidOptions where sizes are not above 0, the groups do not divide the
 *   channels, or the output padding is too large;
 *   ShapeMismatch for other inputs
 * - source:   Brevitas, nn/quant_convtranspose.py
 *
 * @since 0.3.0
 */
export const quantConvTranspose1d = <
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
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => made("QuantConvTranspose1d", options)

/**
 * A quantized transposed convolution of images.
 *
 * - formula:  as `quantConvTranspose1d`
 * - shapes:   `x [n, h, w, in], W [kh, kw, out / groups, in], b [out] -> y [n, oh, ow, out]`
 * - gradient: through every quantizer
 * - errors:   as `quantConvTranspose1d`
 * - source:   Brevitas, nn/quant_convtranspose.py
 *
 * @since 0.3.0
 */
export const quantConvTranspose2d = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: Options2d<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => made("QuantConvTranspose2d", options)

/**
 * A quantized transposed convolution of volumes.
 *
 * - formula:  as `quantConvTranspose1d`
 * - shapes:   `x [n, d, h, w, in], W [kd, kh, kw, out / groups, in], b [out] -> y [n, od, oh, ow, out]`
 * - gradient: through every quantizer
 * - errors:   as `quantConvTranspose1d`
 * - source:   Brevitas, nn/quant_convtranspose.py
 *
 * @since 0.3.0
 */
export const quantConvTranspose3d = <
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
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => made("QuantConvTranspose3d", options)

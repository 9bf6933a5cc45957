/**
 * Integer layers that end in a truncation: average pools, whose sums are cut to fewer bits, and accumulators that are requantized.
 *
 * Room: nn (level 4). Imports: effect, `core`, `op`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`, `./Weightless.ts`.
 */
import { Effect, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Resize from "../op/Resize.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { MissingInput } from "../tensor/LayerErrors.ts"
import type { Form } from "./Form.ts"
import * as Layer from "./Layer.ts"
import type * as Slot from "./Slot.ts"
import type * as Slots from "./Slots.ts"
import * as Weightless from "./Weightless.ts"

type Pair = readonly [number, number]

export interface Options<P, T> {
  /** how integers are cut; it needs the format of the input; default: `TruncTo8bit` for pools, none for an accumulator */
  readonly truncQuant?: Slot.OfIntegers<P, T>
  readonly trunc?: T
  /** answer with scale, zero-point and width; default: true, for only integers can be cut again */
  readonly returnQuantTensor?: boolean
}

type Erased = Slots.Given<"trunc"> & { readonly returnQuantTensor?: boolean }

/** A layer without a weight that cuts integers. */
export type Truncated = Weightless.Weightless<"trunc">

const layer = (
  kind: string,
  f: (x: Layer.Value, isCut: boolean) => Layer.Value,
  fallback: Injector.Any | null,
  options: Erased,
  form?: Form
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> => {
  const told = { ...options, returnQuantTensor: options.returnQuantTensor ?? true }
  return Weightless.make(
    kind,
    { trunc: ["activation", fallback] },
    told,
    (x: Layer.Value, call) => {
      const isCut = call.acts("trunc")
      const y = f(x, isCut)
      if (!isCut || (Layer.mayBePlain(call.mode) && !QuantTensor.isQuantTensor(y))) return y
      if (!QuantTensor.isIntegral(y))
        throw new MissingInput({ quantizer: `${kind}, whose input has no integers to cut,`, missing: ["scale"] })
      const { scale, zeroPoint, bitWidth, signed } = y
      return call.quantized("trunc", y, { scale, zeroPoint, bitWidth, signed })
    },
    form
  )
}

/**
 * An average pool of integers: the sum of each window, cut to fewer bits; the division is in the scale.
 *
 * - formula:  `y = T(sum of the window)` with the scale `s / (kh kw)`, where `T` cuts as its quantizer says
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / (kh kw)`, summed over the windows that hold the place
 * - errors:   InvalidOptions for sizes that cannot be; ShapeMismatch for other than images; MissingInput where the input has no
 *   integers
 * - source:   Brevitas, nn/quant_avg_pool.py (TruncAvgPool2d)
 *
 * @since 0.3.0
 */
export const truncAvgPool2d = <P, const T extends Slot.Overrides = {}>(
  options: Options<P, T> & {
    readonly kernelSize: Pair
    /** default: as the kernel, so that windows do not overlap */
    readonly strides?: Pair
  }
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> => {
  const { kernelSize, strides = kernelSize } = options
  const wrong =
    Weightless.wrongSizes("TruncAvgPool2d", "kernelSize", kernelSize) ??
    Weightless.wrongSizes("TruncAvgPool2d", "strides", strides)
  if (wrong !== undefined) return Effect.fail(wrong)
  return layer(
    "TruncAvgPool2d",
    (x) => {
      Weightless.expectShape("TruncAvgPool2d", x, ["n", "h", "w", "c"])
      return Weightless.thrown(QuantTensor.avgPool2d(x, { size: kernelSize, strides }))
    },
    ScaledInt.TruncTo8bit,
    options as unknown as Erased,
    { op: "averagePool", size: kernelSize, strides, dilations: [1, 1], pad: "valid" }
  )
}

/** How long the longest of so many parts of an axis is, as even as they can be. */
const largestPart = (input: number, output: number): number => input - (output - 1) * Math.floor(input / output)

/**
 * An average pool of integers to a size of its own: means over as even parts of the image as there are, cut to fewer bits.
 *
 * - formula:  `y = T(mean of the part * k)` with the scale `s / k`, `k` the size of the largest part
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / size of the part`, summed over the parts that hold the place
 * - errors:   InvalidOptions for sizes that cannot be; ShapeMismatch for other than images; MissingInput where the input has no
 *   integers, or nothing cuts and the parts differ in size
 * - source:   Brevitas, nn/quant_avg_pool.py (TruncAdaptiveAvgPool2d)
 *
 * @since 0.3.0
 */
export const truncAdaptiveAvgPool2d = <P, const T extends Slot.Overrides = {}>(
  options: Options<P, T> & { readonly outputSize: Pair }
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> => {
  const { outputSize } = options
  const wrong = Weightless.wrongSizes("TruncAdaptiveAvgPool2d", "outputSize", outputSize)
  if (wrong !== undefined) return Effect.fail(wrong)
  const pooled = (x: Layer.Value, isCut: boolean): Layer.Value => {
    Weightless.expectShape("TruncAdaptiveAvgPool2d", x, ["n", "h", "w", "c"])
    const [, h = 0, w = 0] = QuantTensor.shapeOf(x)
    const value = Resize.averages(QuantTensor.dequantized(x), outputSize)
    const [tall, wide] = [largestPart(h, outputSize[0]), largestPart(w, outputSize[1])]
    // means over parts of different sizes lie on one grid only where they are cut to it
    const isEven = tall * outputSize[0] === h && wide * outputSize[1] === w
    return isCut || isEven ? QuantTensor.averagesOf(value, x, tall * wide) : value
  }
  const form = { op: "averages", size: outputSize } as const
  return layer("TruncAdaptiveAvgPool2d", pooled, ScaledInt.TruncTo8bit, options as unknown as Erased, form)
}

/**
 * Cuts the integers that a layer answers, as an accumulator of fewer bits would.
 *
 * - formula:  `y = T(x)`, with the scale and zero-point that `T` leaves
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer
 * - errors:   MissingInput where the input has no integers
 * - source:   Brevitas, nn/quant_accumulator.py (TruncQuantAccumulator, ClampQuantAccumulator)
 *
 * @since 0.3.0
 */
export const quantAccumulator = <P, const T extends Slot.Overrides = {}>(
  options: Options<P, T>
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> =>
  layer("QuantAccumulator", (x) => x, null, options as unknown as Erased, { op: "identity" })

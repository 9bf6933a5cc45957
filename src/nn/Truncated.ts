/**
 * Integer layers that end in a truncation: average pools, whose sums are cut to fewer bits, and accumulators that are requantized.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Resize from "../op/Resize.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions, MissingInput, ShapeMismatch } from "../tensor/Errors.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"

type Pair = readonly [number, number]

export interface Options<P, T> {
  /** how integers are cut; it needs the format of the input; default: `TruncTo8bit` for pools, none for an accumulator */
  readonly truncQuant?: Slot.Quant<P, T>
  readonly trunc?: T
  /** answer with scale, zero-point and width; default: true, for only integers can be cut again */
  readonly returnQuantTensor?: boolean
}

interface Erased {
  readonly truncQuant?: Slot.Erased
  readonly trunc?: Slot.Overrides
  readonly returnQuantTensor?: boolean
}

export interface Truncated extends Layer.Layer {
  readonly truncQuant: QuantProxy | undefined
}

const missing = (kind: string, why: string): never => {
  throw new MissingInput({ quantizer: `${kind} (${why})`, missing: ["scale"] })
}

const thrown = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw result.failure
  return result.success
}

const layer = (
  kind: string,
  f: (x: Layer.Value) => Layer.Value,
  fallback: Injector.Any | null,
  options: Erased
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const nothing = yield* Effect.acquireRelease(
      Effect.sync(() => tf.scalar(0)),
      (zero) => Effect.sync(() => zero.dispose())
    )
    const module: Module = { kind, weight: nothing, outChannels: 0, outputChannelAxis: 0 }
    const truncQuant = yield* Slot.proxyFor("activation", options.truncQuant, options.trunc, fallback, () => module)
    const proxies = truncQuant === undefined ? [] : [["truncQuant", truncQuant] as const]
    const cut = (states: Layer.States, x: Layer.Value, mode: Layer.Mode): readonly [Layer.Value, Layer.States] => {
      if (truncQuant === undefined) return [x, states]
      if (Layer.mayBePlain(mode) && !QuantTensor.isQuantTensor(x)) return [x, states]
      if (!QuantTensor.isIntegral(x)) return missing(kind, "the input has no integers to cut: quantize it before")
      const { scale, zeroPoint, bitWidth, signed } = x
      return Layer.quantize(states, truncQuant, x.value, mode, { scale, zeroPoint, bitWidth, signed })
    }
    const apply: Layer.Layer["apply"] = (states, x, mode) => {
      const [y, after] = cut(states, f(x), mode)
      if (options.returnQuantTensor === false) return [QuantTensor.dequantized(y), after]
      return QuantTensor.isQuantTensor(y) || Layer.mayBePlain(mode)
        ? [y, after]
        : missing(kind, "its output was asked for as a quant tensor; else give returnQuantTensor: false")
    }
    return { kind, truncQuant, proxies, cells: proxies.map(([name, proxy]) => [name, proxy.cell] as const), apply }
  })

const whole = (what: string, option: string, sizes: ReadonlyArray<number>): InvalidOptions | undefined =>
  sizes.every((size) => Number.isInteger(size) && size > 0)
    ? undefined
    : new InvalidOptions({ what, option, reason: `must be whole numbers above 0; it is [${sizes.join(", ")}]` })

/**
 * An average pool of integers: the sum of each window, cut to fewer bits; the division is in the scale.
 *
 * - formula:  `y = T(sum of the window)` with the scale `s / (kh kw)`, where `T` cuts as its quantizer says
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / (kh kw)`, summed over the windows that hold the place
 * - errors:   InvalidOptions for sizes that cannot be; MissingInput where the input has no integers
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
  const wrong = whole("TruncAvgPool2d", "kernelSize", kernelSize) ?? whole("TruncAvgPool2d", "strides", strides)
  if (wrong !== undefined) return Effect.fail(wrong)
  return layer(
    "TruncAvgPool2d",
    (x) => thrown(QuantTensor.avgPool2d(x, { size: kernelSize, strides })),
    ScaledInt.TruncTo8bit,
    options as unknown as Erased
  )
}

/**
 * An average pool of integers to a size of its own: means over as even parts of the image as there are, cut to fewer bits.
 *
 * - formula:  `y = T(mean of the part * k)` with the scale `s / k`, `k` the size of the largest part
 * - shapes:   `x [n, h, w, c] -> y [n, oh, ow, c]`
 * - gradient: `dx = dy / size of the part`, summed over the parts that hold the place
 * - errors:   InvalidOptions for sizes that cannot be; ShapeMismatch for other than images; MissingInput where the input has no integers
 * - source:   Brevitas, nn/quant_avg_pool.py (TruncAdaptiveAvgPool2d)
 *
 * @since 0.3.0
 */
export const truncAdaptiveAvgPool2d = <P, const T extends Slot.Overrides = {}>(
  options: Options<P, T> & { readonly outputSize: Pair }
): Effect.Effect<Truncated, Layer.BuildError, Scope.Scope> => {
  const { outputSize } = options
  const wrong = whole("TruncAdaptiveAvgPool2d", "outputSize", outputSize)
  if (wrong !== undefined) return Effect.fail(wrong)
  const [oh, ow] = outputSize
  const pooled = (x: Layer.Value): Layer.Value => {
    const shape = QuantTensor.shapeOf(x)
    if (shape.length !== 4)
      throw new ShapeMismatch({ what: "the input of TruncAdaptiveAvgPool2d", expected: "[n, h, w, c]", actual: shape })
    const [h, w] = [shape[1] as number, shape[2] as number]
    const size = (input: number, output: number): number => input - (output - 1) * Math.floor(input / output)
    const value = Resize.averages(QuantTensor.dequantized(x), outputSize)
    return QuantTensor.averagesOf(value, x, size(h, oh) * size(w, ow))
  }
  return layer("TruncAdaptiveAvgPool2d", pooled, ScaledInt.TruncTo8bit, options as unknown as Erased)
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
  layer("QuantAccumulator", (x) => x, null, options as unknown as Erased)

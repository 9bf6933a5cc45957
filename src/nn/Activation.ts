/**
 * Quantized activations: identity, ReLU, hard tanh, sigmoid and tanh.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `inject`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantInvariant from "../core/QuantInvariant.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions, MissingInput } from "../tensor/Errors.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"

export interface Options<P, W, PI, I> {
  readonly actQuant?: Slot.Quant<P, W>
  /** overrides for the activation quantizer of this layer */
  readonly act?: W
  /** quantizes the input before the activation; default: none */
  readonly inputQuant?: Slot.Quant<PI, I>
  readonly input?: I
  /** answer with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
}

export interface Activation extends Layer.Layer {
  readonly actQuant: QuantProxy | undefined
  readonly inputQuant: QuantProxy | undefined
}

interface Erased {
  readonly actQuant?: Slot.Erased
  readonly act?: Slot.Overrides
  readonly inputQuant?: Slot.Erased
  readonly input?: Slot.Overrides
  readonly returnQuantTensor?: boolean
}

/** A function of plain values, whose results lie on no grid. */
const plain =
  (f: (x: tf.Tensor) => tf.Tensor) =>
  (x: Layer.Value): Layer.Value =>
    f(QuantTensor.dequantized(x))

const layer = (
  kind: string,
  f: (x: Layer.Value) => Layer.Value,
  fallback: Injector.Any,
  options: Erased
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const nothing = yield* Effect.acquireRelease(
      Effect.sync(() => tf.scalar(0)),
      (zero) => Effect.sync(() => zero.dispose())
    )
    const module: Module = { kind, weight: nothing, outChannels: 0, outputChannelAxis: 0 }
    const actQuant = yield* Slot.proxyFor("activation", options.actQuant, options.act, fallback, () => module)
    const inputQuant = yield* Slot.proxyFor("input", options.inputQuant, options.input, null, () => module)
    const proxies = Object.entries({ actQuant, inputQuant }).flatMap(([name, proxy]) =>
      proxy === undefined ? [] : [[name, proxy] as const]
    )
    const through = (
      proxy: QuantProxy | undefined,
      states: Layer.States,
      x: Layer.Value,
      mode: Layer.Mode
    ): readonly [Layer.Value, Layer.States] =>
      proxy === undefined ? [x, states] : Layer.quantize(states, proxy, QuantTensor.dequantized(x), mode)
    const apply: Layer.Layer["apply"] = (states, x, mode) => {
      const [input, afterInput] = through(inputQuant, states, x, mode)
      const [y, after] = through(actQuant, afterInput, f(input), mode)
      if (options.returnQuantTensor !== true) return [QuantTensor.dequantized(y), after]
      if (!QuantTensor.isQuantTensor(y) && !Layer.mayBePlain(mode))
        throw new MissingInput({ quantizer: `the output of ${kind}, asked for as a quant tensor`, missing: ["scale"] })
      return [y, after]
    }
    const cells = proxies.map(([name, proxy]) => [name, proxy.cell] as const)
    return { kind, actQuant, inputQuant, proxies, cells, apply }
  })

/**
 * Quantizes what runs through; 8 bits signed unless told otherwise.
 *
 * - formula:  `y = Q(x)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer
 * - errors:   MissingInput where a quant tensor is asked for and nothing is quantized
 * - source:   Brevitas, nn/quant_activation.py
 *
 * @since 0.1.0
 */
export const quantIdentity = <P, PI, const W extends Slot.Overrides = {}, const I extends Slot.Overrides = {}>(
  options: Options<P, W, PI, I> = {}
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  layer("QuantIdentity", (x) => x, ScaledInt.Int8ActPerTensorFloat, options as unknown as Erased)

/**
 * Rectifies and quantizes; 8 bits unsigned unless told otherwise. A quantized input that is not quantized again keeps its format.
 *
 * - formula:  `y = Q(max(x, 0))`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer where `x > 0`, else 0
 * - errors:   MissingInput where a quant tensor is asked for and nothing is quantized
 * - source:   Brevitas, nn/quant_activation.py
 *
 * @since 0.1.0
 */
export const quantReLU = <P, PI, const W extends Slot.Overrides = {}, const I extends Slot.Overrides = {}>(
  options: Options<P, W, PI, I> = {}
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  layer("QuantReLU", QuantInvariant.relu, ScaledInt.Uint8ActPerTensorFloat, options as unknown as Erased)

interface Bounds {
  /** also told to the quantizer, as `minVal` and `maxVal`; default: -1 */
  readonly minVal?: number
  /** default: 1 */
  readonly maxVal?: number
}
export interface HardTanhOptions<P, W, PI, I> extends Options<P, W, PI, I>, Bounds {}

/**
 * Clips and quantizes; 8 bits signed unless told otherwise.
 *
 * - formula:  `y = Q(x)`, whose range begins as `minVal` to `maxVal`; without a quantizer `min(max(x, minVal), maxVal)`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer; without one 1 where `minVal < x < maxVal`, else 0
 * - errors:   InvalidOptions where the bounds are not in order; MissingInput as `quantIdentity`
 * - source:   Brevitas, nn/quant_activation.py
 *
 * @since 0.3.0
 */
export const quantHardTanh = <P, PI, const W extends Slot.Overrides = {}, const I extends Slot.Overrides = {}>(
  options: HardTanhOptions<P, W, PI, I> = {}
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> => {
  const { minVal = -1, maxVal = 1, ...rest } = options as unknown as Erased & Bounds
  if (!(minVal < maxVal))
    return Effect.fail(
      new InvalidOptions({
        what: "QuantHardTanh",
        option: "minVal",
        reason: `must be below maxVal; they are ${minVal} and ${maxVal}`
      })
    )
  const told = { ...rest, act: { minVal, maxVal, ...rest.act } }
  const clipped = (x: Layer.Value): Layer.Value => QuantInvariant.hardTanh(x, minVal, maxVal)
  // a quantizer clips by itself
  return layer("QuantHardTanh", rest.actQuant === null ? clipped : (x) => x, ScaledInt.Int8ActPerTensorFloat, told)
}

/**
 * The logistic function, quantized; 8 bits unsigned unless told otherwise.
 *
 * - formula:  `y = Q(1 / (1 + exp(-x)))`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer, times `y (1 - y)` of the plain function
 * - errors:   MissingInput as `quantIdentity`
 * - source:   Brevitas, nn/quant_activation.py
 *
 * @since 0.3.0
 */
export const quantSigmoid = <P, PI, const W extends Slot.Overrides = {}, const I extends Slot.Overrides = {}>(
  options: Options<P, W, PI, I> = {}
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  layer("QuantSigmoid", plain(tf.sigmoid), ScaledInt.Uint8ActPerTensorFloat, options as unknown as Erased)

/**
 * The hyperbolic tangent, quantized; 8 bits signed unless told otherwise.
 *
 * - formula:  `y = Q(tanh(x))`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: that of the quantizer, times `1 - y^2` of the plain function
 * - errors:   MissingInput as `quantIdentity`
 * - source:   Brevitas, nn/quant_activation.py
 *
 * @since 0.3.0
 */
export const quantTanh = <P, PI, const W extends Slot.Overrides = {}, const I extends Slot.Overrides = {}>(
  options: Options<P, W, PI, I> = {}
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  layer("QuantTanh", plain(tf.tanh), ScaledInt.Int8ActPerTensorFloat, options as unknown as Erased)

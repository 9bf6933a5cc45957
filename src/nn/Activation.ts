/**
 * Quantized activations: identity, ReLU, hard tanh, sigmoid and tanh.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `inject`, `quant`, `tensor`, `./Slot.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as QuantInvariant from "../core/QuantInvariant.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type * as Injector from "../inject/Injector.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import type { Form } from "./Form.ts"
import type * as Layer from "./Layer.ts"
import type * as Slot from "./Slot.ts"
import type * as Slots from "./Slots.ts"
import * as Weightless from "./Weightless.ts"

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

/** A layer without a weight that quantizes what it answers. */
export type Activation = Weightless.Weightless<"act" | "input">

type Erased = Slots.Given<"act" | "input"> & { readonly returnQuantTensor?: boolean }

/** A function of plain values, whose results lie on no grid. */
const plain =
  (f: (x: tf.Tensor) => tf.Tensor) =>
  (x: Layer.Value): Layer.Value =>
    f(QuantTensor.dequantized(x))

const layer = (
  kind: string,
  f: (x: Layer.Value, isQuantized: boolean) => Layer.Value,
  fallback: Injector.Any,
  form: Form,
  options: Erased
): Effect.Effect<Activation, Layer.BuildError, Scope.Scope> =>
  Weightless.make(
    kind,
    { act: ["activation", fallback], input: ["input", null] },
    options,
    (x: Layer.Value, call) => call.quantized("act", f(call.quantized("input", x), call.acts("act"))),
    form
  )

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
  layer("QuantIdentity", (x) => x, ScaledInt.Int8ActPerTensorFloat, { op: "identity" }, options as unknown as Erased)

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
  layer(
    "QuantReLU",
    QuantInvariant.relu,
    ScaledInt.Uint8ActPerTensorFloat,
    { op: "relu" },
    options as unknown as Erased
  )

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
  const f = (x: Layer.Value, isQuantized: boolean): Layer.Value => (isQuantized ? x : clipped(x))
  return layer("QuantHardTanh", f, ScaledInt.Int8ActPerTensorFloat, { op: "hardTanh", low: minVal, high: maxVal }, told)
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
  layer(
    "QuantSigmoid",
    plain(tf.sigmoid),
    ScaledInt.Uint8ActPerTensorFloat,
    { op: "sigmoid" },
    options as unknown as Erased
  )

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
  layer("QuantTanh", plain(tf.tanh), ScaledInt.Int8ActPerTensorFloat, { op: "tanh" }, options as unknown as Erased)

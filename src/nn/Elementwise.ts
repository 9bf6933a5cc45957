/**
 * Quantized layers of several inputs: their sum, and their concatenation. All inputs share one quantizer, so that they share a grid.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `quant`, `./Slot.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import type { Form } from "./Form.ts"
import type * as Layer from "./Layer.ts"
import type * as Slot from "./Slot.ts"
import type * as Slots from "./Slots.ts"
import * as Weightless from "./Weightless.ts"

export interface Options<PI, I, PO, O> {
  /** quantizes every input; default: 8 bits signed */
  readonly inputQuant?: Slot.Quant<PI, I>
  readonly input?: I
  /** quantizes the result; default: 8 bits signed */
  readonly outputQuant?: Slot.Quant<PO, O>
  readonly output?: O
  /** answer with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
}

type Erased = Slots.Given<"input" | "output"> & { readonly returnQuantTensor?: boolean }

/** A layer of several inputs. */
export type Elementwise<In> = Weightless.Weightless<"input" | "output", In>

/**
 * While a quantizer that all inputs share still collects, each of them has the scale of its own statistics: they take the mean, so
 * that they lie on one grid as they will when it has learned.
 */
const settled = (values: ReadonlyArray<Layer.Value>): ReadonlyArray<Layer.Value> => {
  const all = values.filter(QuantTensor.isIntegral)
  if (all.length !== values.length || all.length < 2) return values
  const scale = tf.div(
    all.map((x) => x.scale).reduce((a, b) => tf.add(a, b)),
    all.length
  )
  return all.map((x) => ({ ...x, scale }))
}

const layer = <In extends ReadonlyArray<Layer.Value>>(
  kind: string,
  form: Form,
  f: (values: ReadonlyArray<Layer.Value>) => Layer.Value,
  options: Erased
): Effect.Effect<Elementwise<In>, Layer.BuildError, Scope.Scope> => {
  const fallback = ScaledInt.Int8ActPerTensorFloat
  return Weightless.make(
    kind,
    { input: ["input", fallback], output: ["output", fallback] },
    options,
    (xs: In, call) => {
      const inputs = xs.map((x) => call.quantized("input", x))
      if (call.acts("output")) return call.quantized("output", f(inputs.map(QuantTensor.dequantized)))
      return f(call.mode.training && call.acts("input") ? settled(inputs) : inputs)
    },
    form
  )
}

/**
 * The sum of two values on one grid: of a residual connection and what it goes around.
 *
 * - formula:  `y = Q_out(Q_in(a) + Q_in(b))`
 * - shapes:   `a, b broadcast to [...d] -> y [...d]`
 * - gradient: through the quantizers, to both
 * - errors:   ScaleMismatch where quantized inputs of different scales are not quantized again; MissingInput where a quant tensor is
 *   asked for and the inputs are plain
 * - source:   Brevitas, nn/quant_eltwise.py
 *
 * @since 0.3.0
 */
export const quantEltwiseAdd = <PI, PO, const I extends Slot.Overrides = {}, const O extends Slot.Overrides = {}>(
  options: Options<PI, I, PO, O> = {}
): Effect.Effect<Elementwise<readonly [Layer.Value, Layer.Value]>, Layer.BuildError, Scope.Scope> =>
  layer(
    "QuantEltwiseAdd",
    { op: "add" },
    ([a, b]) => Weightless.thrown(QuantTensor.add(a as Layer.Value, b as Layer.Value)),
    options as unknown as Erased
  )

/**
 * Values side by side along an axis, on one grid.
 *
 * - formula:  `y = Q_out([Q_in(x_0), Q_in(x_1), ...])`
 * - shapes:   `x_i [...d, n_i, ...e] -> y [...d, sum n_i, ...e]`
 * - gradient: through the quantizers, each input its part
 * - errors:   ScaleMismatch, FormatMismatch where quantized inputs differ and are not quantized again; ShapeMismatch; MissingInput as
 *   `quantEltwiseAdd`
 * - source:   Brevitas, nn/quant_eltwise.py
 *
 * @since 0.3.0
 */
export const quantCat = <PI, PO, const I extends Slot.Overrides = {}, const O extends Slot.Overrides = {}>(
  options: Options<PI, I, PO, O> & {
    /** default: the last one, of channels */
    readonly axis?: number
  } = {}
): Effect.Effect<Elementwise<ReadonlyArray<Layer.Value>>, Layer.BuildError, Scope.Scope> => {
  const { axis = -1 } = options
  return layer(
    "QuantCat",
    { op: "concat", axis },
    (values) => Weightless.thrown(QuantTensor.concat(values, axis)),
    options as unknown as Erased
  )
}

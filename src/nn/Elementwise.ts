/**
 * Quantized layers of several inputs: their sum, and their concatenation. All inputs share one quantizer, so that they share a grid.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { MissingInput } from "../tensor/Errors.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"

export interface Options<PI, I, PO, O> {
  /** quantizes every input; default: 8 bits signed */
  readonly inputQuant?: Slot.Quant<PI, I>
  readonly input?: I
  /** quantizes the result; default: none for a concatenation, 8 bits signed for a sum */
  readonly outputQuant?: Slot.Quant<PO, O>
  readonly output?: O
  /** answer with scale, zero-point and width; default: the plain value */
  readonly returnQuantTensor?: boolean
}

interface Erased {
  readonly inputQuant?: Slot.Erased
  readonly input?: Slot.Overrides
  readonly outputQuant?: Slot.Erased
  readonly output?: Slot.Overrides
  readonly returnQuantTensor?: boolean
}

/** A layer of several inputs. */
export interface Elementwise<In> extends Layer.Layer<In> {
  readonly inputQuant: QuantProxy | undefined
  readonly outputQuant: QuantProxy | undefined
}

const thrown = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw result.failure
  return result.success
}

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
  f: (values: ReadonlyArray<Layer.Value>) => Layer.Value,
  options: Erased
): Effect.Effect<Elementwise<In>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const nothing = yield* Effect.acquireRelease(
      Effect.sync(() => tf.scalar(0)),
      (zero) => Effect.sync(() => zero.dispose())
    )
    const module: Module = { kind, weight: nothing, outChannels: 0, outputChannelAxis: 0 }
    const fallback = ScaledInt.Int8ActPerTensorFloat
    const inputQuant = yield* Slot.proxyFor("input", options.inputQuant, options.input, fallback, () => module)
    const outputQuant = yield* Slot.proxyFor("output", options.outputQuant, options.output, fallback, () => module)
    const proxies = Object.entries({ inputQuant, outputQuant }).flatMap(([name, proxy]) =>
      proxy === undefined ? [] : [[name, proxy] as const]
    )
    const apply: Elementwise<In>["apply"] = (states, xs, mode) => {
      const reached = { states }
      const through = (proxy: QuantProxy | undefined, x: Layer.Value): Layer.Value => {
        if (proxy === undefined) return x
        const [y, after] = Layer.quantize(reached.states, proxy, QuantTensor.dequantized(x), mode)
        reached.states = after
        return y
      }
      const inputs = xs.map((x) => through(inputQuant, x))
      const shared = inputQuant !== undefined && mode.training ? settled(inputs) : inputs
      const y = through(outputQuant, outputQuant === undefined ? f(shared) : f(inputs.map(QuantTensor.dequantized)))
      if (options.returnQuantTensor !== true) return [QuantTensor.dequantized(y), reached.states]
      if (!QuantTensor.isQuantTensor(y) && !Layer.mayBePlain(mode))
        throw new MissingInput({ quantizer: `the output of ${kind}, asked for as a quant tensor`, missing: ["scale"] })
      return [y, reached.states]
    }
    const cells = proxies.map(([name, proxy]) => [name, proxy.cell] as const)
    return { kind, inputQuant, outputQuant, proxies, cells, apply }
  })

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
    ([a, b]) => thrown(QuantTensor.add(a as Layer.Value, b as Layer.Value)),
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
  return layer("QuantCat", (values) => thrown(QuantTensor.concat(values, axis)), options as unknown as Erased)
}

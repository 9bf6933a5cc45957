/**
 * A layer: cells that hold its state, and a pure function of their states and an input.
 *
 * Whatever a layer does is one synchronous run: read all cells once, compute, write once. Nothing yields under tfjs's tape.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `tensor`, `inject`, `core`, `proxy`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as TensorQuantizer from "../core/TensorQuantizer.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Cell from "../proxy/Cell.ts"
import type { QuantProxy, Slot } from "../proxy/QuantProxy.ts"
import { InvalidOptions, MissingInput, ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { within } from "../tensor/Place.ts"
import { FormatMismatch, ScaleMismatch, UnknownSign, UnsupportedZeroPoint } from "../tensor/QuantTensorErrors.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type { Form } from "./Form.ts"
import { evaluation, type Mode, mayBePlain, skips } from "./Mode.ts"

/** What runs through layers. */
export type Value = tf.Tensor | QuantTensor.QuantTensor

/** The states of all cells at one moment: immutable, threaded through the layers. */
export type States = ReadonlyMap<Cell.Cell, Cell.Living>

export { activationSlots, evaluation, type Mode, mayBePlain, parameterSlots, training, without } from "./Mode.ts"

/** What has state: cells and proxies by name. */
export interface Stateful {
  readonly kind: string
  /** cells by name; "" is the layer's own, the others are its proxies'. Several names may hold one cell (sharing). */
  readonly cells: ReadonlyArray<readonly [name: string, cell: Cell.Cell]>
  readonly proxies: ReadonlyArray<readonly [name: string, proxy: QuantProxy]>
  /** what it computes apart from its quantizers; absent: only `apply` knows */
  readonly form?: Form
  /** why it has none, and what to do, for messages */
  readonly formless?: string
}

/** What a layer may answer: one value, or several. */
export type Values = Value | ReadonlyArray<Value> | Readonly<Record<string, Value>>

/** A layer from one value to one value, unless it says otherwise: an addition is a `Layer<readonly [Value, Value]>`. */
export interface Layer<In = Value, Out extends Values = Value> extends Stateful {
  /** the pure function: no cell is read or written here */
  readonly apply: (states: States, x: In, mode: Mode) => readonly [Out, States]
}

/** What can be wrong when a layer is made: its quantizers do not resolve, or its own options cannot be. */
export type BuildError = ResolutionError | InvalidOptions

// ---- states -------------------------------------------------------------------------------------------------

/** Reads every cell once. */
export const read = (layer: Stateful): States => new Map(layer.cells.map(([, cell]) => [cell, LeasedRef.current(cell)]))

/** The weights that a quantizer follows, as these states have them. */
const trackedIn = (states: States, state: Cell.Living): ReadonlyArray<tf.Tensor> | undefined => {
  const tracked = state.tracked((cell) => states.get(cell)?.parameters)
  return tracked.length === 0 ? undefined : tracked
}

const prepared = (
  quantizer: TensorQuantizer.TensorQuantizer,
  states: States,
  state: Cell.Living,
  mode: Mode
): Cell.State => {
  const { parameters, memory } = quantizer.prepare({
    parameters: state.parameters,
    memory: state.memory,
    training: mode.training,
    tracked: trackedIn(states, state)
  })
  return { parameters, memory }
}

/** The states from which a call starts: collected statistics that are due become parameters, of quantizers that are not off. */
export const prepare = (states: States, mode: Mode): States =>
  new Map(
    [...states].map(([cell, state]) => [
      cell,
      state.quantizer === undefined || skips(mode, state.slot)
        ? state
        : { ...state, ...prepared(state.quantizer, states, state, mode) }
    ])
  )

/** The state of a cell; that states lack it is a defect. */
export const stateOf = (states: States, cell: Cell.Cell): Cell.Living => {
  const state = states.get(cell)
  if (state === undefined) throw new Error("a layer was applied to states that were read from another one")
  return state
}

/** The states after a cell's memory changed. */
export const remember = (states: States, cell: Cell.Cell, memory: Cell.State["memory"]): States => {
  const state = stateOf(states, cell)
  return state.memory === memory ? states : new Map(states).set(cell, { ...state, memory })
}

/** The states after a layer's own weight became another one. */
const rewritten = (states: States, weight: tf.Tensor, next: tf.Tensor): States =>
  new Map(
    [...states].map(([cell, state]) =>
      state.quantizer === undefined && Tree.tensors(state.parameters).includes(weight)
        ? [cell, { ...state, parameters: Tree.map(state.parameters, (x) => (x === weight ? next : x)) }]
        : [cell, state]
    )
  )

/** Every tensor of every state. */
export const tensorsOf = (states: States): ReadonlyArray<tf.Tensor> =>
  [...states.values()].flatMap(({ parameters, memory }) => [...Tree.tensors(parameters), ...Tree.tensors(memory)])

/** Writes every cell whose state is another than before. */
export const commit = (states: States): void => {
  for (const [cell, state] of states) Cell.commit(cell, state)
}

// ---- quantizing ---------------------------------------------------------------------------------------------

/** An activation quantizer with one scale for each channel is for inputs of that many channels. */
const otherChannels = ({ table, name }: Injector.Any, x: tf.Tensor): ShapeMismatch | undefined => {
  const { scalingPerOutput, perChannelBroadcastableShape: shape } = table
  if (scalingPerOutput !== "channel" || !Array.isArray(shape)) return undefined
  const fits = shape.length === x.rank && shape.every((d, i) => d === 1 || d === x.shape[i])
  if (fits) return undefined
  const what = `the input of ${name || "a quantizer"}, whose perChannelBroadcastableShape is [${shape.join(", ")}]`
  return new ShapeMismatch({
    what,
    expected: `[${shape.map((d) => (d === 1 ? "any" : d)).join(", ")}]`,
    actual: x.shape
  })
}

/** The names that layers give their quantizers. */
const namedBy: Readonly<Record<Slot, string>> = {
  weight: "weightQuant",
  bias: "biasQuant",
  input: "inputQuant",
  output: "outputQuant",
  activation: "actQuant"
}

/** What is wrong with what a quantizer is given. */
const refusal = (
  injector: Injector.Any,
  quantizer: TensorQuantizer.TensorQuantizer,
  x: tf.Tensor,
  external: TensorQuantizer.External
): MissingInput | ShapeMismatch | undefined =>
  TensorQuantizer.checked(quantizer, external, injector.name) ?? otherChannels(injector, x)

/**
 * Quantizes with the state of a proxy; a declaration of no quantization hands `x` on, and so does a mode without this slot. Not
 * knowing the sign is a failure only when a quant tensor is asked for. A quantizer that needs more than `external` has throws a
 * `MissingInput`, one for other channels a `ShapeMismatch`, for `attempt`.
 *
 * In training a quantizer may write to the weight that it clamps: the states after it have the clamped weight.
 */
export const quantize = (
  states: States,
  proxy: QuantProxy,
  x: tf.Tensor,
  mode: Mode,
  external: TensorQuantizer.External = {}
): readonly [Value, States] => {
  const state = stateOf(states, proxy.cell)
  // a fork may have resolved another declaration than that of the proxy which its layer knows
  const { quantizer, parameters, injector = proxy.injector } = state
  if (quantizer === undefined) return [x, states]
  if (skips(mode, state.slot)) {
    mode.watch?.(proxy, x)
    return [x, states]
  }
  const wrong = refusal(injector, quantizer, x, external)
  if (wrong instanceof MissingInput && mayBePlain(mode)) return [x, states]
  if (wrong !== undefined) throw within(wrong, namedBy[proxy.slot])
  const about = { signed: state.signed ?? external.signed ?? true, training: mode.training, float: quantizer.float }
  const answer = (quantized: TensorQuantizer.Quantized): QuantTensor.QuantTensor =>
    QuantTensor.fromQuantized(quantized, { ...about, origin: injector.name || undefined })
  const constant = mode.training ? undefined : state.constants?.(x, external)
  if (constant !== undefined) return [answer(constant), states]
  const before = { parameters, memory: state.memory, training: mode.training, tracked: trackedIn(states, state) }
  const [quantized, memory] = quantizer.apply(before, x, external)
  const after = remember(states, proxy.cell, memory)
  const { input } = quantized
  return [answer(quantized), mode.training && input !== undefined ? rewritten(after, x, input) : after]
}

const independent = (y: Value): Value => (QuantTensor.isQuantTensor(y) ? QuantTensor.map(y, tf.clone) : y.clone())

const isOne = (y: Values): y is Value => y instanceof tf.Tensor || QuantTensor.isQuantTensor(y)

/** The same values, each through `f`. */
const mapped = <Out extends Values>(y: Out, f: (value: Value) => Value): Out =>
  (isOne(y)
    ? f(y)
    : Array.isArray(y)
      ? y.map(f)
      : Object.fromEntries(Object.entries(y).map(([name, value]) => [name, f(value)]))) as Out

/** Every tensor of an answer. */
export const tensorsIn = (y: Values): ReadonlyArray<tf.Tensor> =>
  isOne(y) ? [...QuantTensor.tensorsOf(y)] : Object.values(y).flatMap((value) => [...QuantTensor.tensorsOf(value)])

/** One synchronous run over the cells of a layer: read once, compute purely, write once. The answer is the caller's to dispose. */
export const run = <Out extends Values>(
  layer: Stateful,
  mode: Mode,
  f: (states: States) => readonly [Out, States]
): Out => {
  const before = read(layer)
  const old = new Set(tensorsOf(before))
  const answer: { value?: readonly [Out, States] } = {}
  tf.tidy(() => {
    const [y, after] = f(prepare(before, mode))
    const mine = mapped(y, independent)
    for (const tensor of [...tensorsIn(mine), ...tensorsOf(after).filter((t) => !old.has(t))]) tf.keep(tensor)
    answer.value = [mine, after]
  })
  const [y, after] = answer.value as readonly [Out, States]
  commit(after)
  return y
}

/** What is wrong with the input of a layer. */
export type InputError =
  | MissingInput
  | ShapeMismatch
  | ScaleMismatch
  | FormatMismatch
  | UnsupportedZeroPoint
  | InvalidOptions

const isInputError = (cause: unknown): cause is InputError =>
  [MissingInput, ShapeMismatch, ScaleMismatch, FormatMismatch, UnsupportedZeroPoint, InvalidOptions].some(
    (kind) => cause instanceof kind
  )

/** Computes a part of a model: what is wrong with its input is then said with its name. */
export const located = <A>(name: string, f: () => A): A => {
  try {
    return f()
  } catch (cause) {
    throw isInputError(cause) ? within(cause, name) : cause
  }
}

/**
 * Computes with layers: that a quantizer misses an input or gets another shape is a failure, whatever else is thrown a defect.
 *
 * - errors: InputError, with the layer that it arose in
 */
export const attempt = <A>(f: () => A): Effect.Effect<A, InputError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (cause) {
      return isInputError(cause) ? Effect.fail(cause) : Effect.die(cause)
    }
  })

/**
 * Runs the layer: reads its cells, computes, writes their memory back. The answer is the caller's to dispose.
 *
 * - errors: InputError: MissingInput, ShapeMismatch, ScaleMismatch, FormatMismatch, UnsupportedZeroPoint, InvalidOptions; all
 *   name the layer
 */
export const forward = <In, Out extends Values>(
  layer: Layer<In, Out>,
  x: In,
  mode: Mode = evaluation
): Effect.Effect<Out, InputError> => attempt(() => run(layer, mode, (states) => layer.apply(states, x, mode)))

/**
 * The scale that a proxy has at present, as a scalar or tensor of the caller's: what evaluation would use for `x`.
 *
 * - errors: InputError where the quantizer cannot take `x`
 */
export const scaleOf = (proxy: QuantProxy, x: tf.Tensor): Effect.Effect<tf.Tensor, InputError> =>
  attempt(() => {
    const { quantizer, parameters, memory } = LeasedRef.current(proxy.cell)
    if (quantizer === undefined) throw new Error("a proxy's cell holds no quantizer")
    const missing = TensorQuantizer.checked(quantizer, {}, proxy.injector.name)
    if (missing !== undefined) throw within(missing, namedBy[proxy.slot])
    return tf.tidy(() => quantizer.apply({ parameters, memory, training: false }, x)[0].scale.clone())
  })

/**
 * Fails unless the proxy's declaration says whether its values are signed.
 *
 * - errors: UnknownSign, which names the declaration
 */
export const requireSign = (proxy: QuantProxy): Effect.Effect<void, UnknownSign> =>
  Effect.suspend(() =>
    LeasedRef.current(proxy.cell).signed === undefined
      ? Effect.fail(new UnknownSign({ injector: proxy.injector.name || "(anonymous injector)" }))
      : Effect.void
  )

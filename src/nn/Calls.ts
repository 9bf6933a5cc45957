/**
 * The structure of a model, found by running it once: whatever its function does, the order of the calls of its layers and the
 * tensors that go from one to the next tell which layers feed which.
 *
 * Room: nn (level 4). Imports: tfjs, `core`, `proxy`, `./Layer.ts`, `./Model.ts`. Laws: test/nn/Calls.test.ts,
 * test/exchange/Trace.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { External, Quantized, TensorQuantizer } from "../core/TensorQuantizer.ts"
import type * as Cell from "../proxy/Cell.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as Layer from "./Layer.ts"
import * as Model from "./Model.ts"

/** One use of a quantizer. */
export interface Use {
  readonly proxy: QuantProxy
  readonly quantizer: TensorQuantizer
  readonly signed: boolean
  readonly x: tf.Tensor
  readonly external: External
  readonly result: Quantized
}

/** One call of a layer that is no model itself. */
export interface Call {
  readonly layer: Layer.Layer
  /** where it stands in the model: `block.conv1` */
  readonly path: string
  readonly states: Layer.States
  /** what it was given, as it came; its tensors are the inputs */
  readonly given: unknown
  readonly inputs: ReadonlyArray<tf.Tensor>
  /** what its quantizers did, in order */
  readonly uses: Array<Use>
  readonly outputs: Array<tf.Tensor>
}

/** What was seen in one run. Each value that a layer answers is a tensor of its own, which tells where it went. */
export interface Run {
  readonly calls: ReadonlyArray<Call>
  readonly outputs: ReadonlyArray<tf.Tensor>
}

interface Watch {
  readonly calls: Array<Call>
  /** the call that is going on */
  current: Call | undefined
}

// ---- watching -----------------------------------------------------------------------------------------------

const fresh = (x: tf.Tensor, known: ReadonlyArray<tf.Tensor>): tf.Tensor => (known.includes(x) ? x.clone() : x)

const renewed = (y: Layer.Value, known: ReadonlyArray<tf.Tensor>): Layer.Value =>
  QuantTensor.isQuantTensor(y) ? { ...y, value: fresh(y.value, known) } : fresh(y, known)

/** The tensors of values, however they are put together. */
const valuesOf = (x: unknown): ReadonlyArray<tf.Tensor> => {
  if (x instanceof tf.Tensor) return [x]
  if (QuantTensor.isQuantTensor(x)) return [x.value]
  return typeof x === "object" && x !== null ? Object.values(x).flatMap(valuesOf) : []
}

/** The same quantizer, which tells what it did. */
const telling = (watch: Watch, cell: Cell.Cell, state: Cell.Living, quantizer: TensorQuantizer): TensorQuantizer => ({
  ...quantizer,
  apply: (before, x, external = {}) => {
    const [quantized, memory] = quantizer.apply(before, x, external)
    const result = { ...quantized, value: fresh(quantized.value, [x]) }
    const { current } = watch
    const proxy = current?.layer.proxies.find(([, { cell: own }]) => own === cell)?.[1]
    if (current !== undefined && proxy !== undefined) {
      const signed = state.signed ?? external.signed ?? true
      current.uses.push({ proxy, quantizer, signed, x, external, result })
    }
    return [result, memory]
  }
})

/** The same layer, whose calls are noted; of a model, its layers' calls. */
const watched = (watch: Watch, layer: Layer.Stateful, path: string): Layer.Stateful => {
  if (Model.isComposed(layer)) {
    const inner = Object.entries(layer.layers).map(
      ([name, one]) => [name, watched(watch, one, path === "" ? name : `${path}.${name}`)] as const
    )
    return layer.over(Object.fromEntries(inner))
  }
  const { apply } = layer as Layer.Layer
  const noted: Layer.Layer["apply"] = (states, x, mode) => {
    const inputs = valuesOf(x)
    const call: Call = { layer: layer as Layer.Layer, path, states, given: x, inputs, uses: [], outputs: [] }
    watch.calls.push(call)
    watch.current = call
    const [y, after] = apply(states, x, mode)
    watch.current = undefined
    const isOne = y instanceof tf.Tensor || QuantTensor.isQuantTensor(y)
    const mine = isOne ? renewed(y, inputs) : y
    call.outputs.push(...valuesOf(mine))
    return [mine, after]
  }
  return { ...layer, apply: noted } as Layer.Layer
}

// ---- running ------------------------------------------------------------------------------------------------

/** The states of a mode, whose quantizers tell what they do. */
const statesOf = (watch: Watch, model: Layer.Stateful, mode: Layer.Mode): Layer.States =>
  new Map(
    [...Layer.prepare(Layer.read(model), mode)].map(([cell, state]) => {
      const { quantizer } = state
      return [
        cell,
        quantizer === undefined ? state : { ...state, quantizer: telling(watch, cell, state, quantizer) }
      ] as const
    })
  )

/**
 * Runs a model and notes every call of its layers, in order. No cell is written; call it within a `tf.tidy`, to which all tensors
 * belong. In `Layer.without(Layer.evaluation)` it is the float network that runs.
 */
export const run = <In, Out extends Layer.Values>(
  model: Layer.Layer<In, Out>,
  x: In,
  mode: Layer.Mode = Layer.evaluation
): Run => {
  const watch: Watch = { calls: [], current: undefined }
  const whole = watched(watch, model, "") as unknown as Layer.Layer<In, Out>
  const [y] = whole.apply(statesOf(watch, model, mode), x, mode)
  return { calls: watch.calls, outputs: valuesOf(y) }
}

// ---- asking -------------------------------------------------------------------------------------------------

/** The call that answered a value. */
export const makerOf = ({ calls }: Run, x: tf.Tensor | undefined): Call | undefined =>
  x && calls.find(({ outputs }) => outputs.includes(x))

/** The calls that read a value. */
export const readersOf = ({ calls }: Run, x: tf.Tensor): ReadonlyArray<Call> =>
  calls.filter(({ inputs }) => inputs.includes(x))

/** The calls of layers with this own cell. */
export const callsOf = ({ calls }: Run, cell: Cell.Cell): ReadonlyArray<Call> =>
  calls.filter(({ layer }) => layer.cells.some(([name, own]) => name === "" && own === cell))

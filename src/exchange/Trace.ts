/**
 * The graph of a model, found by running it once: whatever its function does, the order of the calls and the tensors that go from
 * one to the next are its structure.
 *
 * Room: exchange (level 5). Imports: tfjs, effect, `core`, `nn`, `proxy`, `tensor`, `./Graph.ts`, `./TraceNodes.ts`,
 * `./TraceQuant.ts`. Laws: test/exchange/Trace.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Layer from "../nn/Layer.ts"
import type { Composed } from "../nn/Model.ts"
import type * as Cell from "../proxy/Cell.ts"
import { NotExportable, ShapeMismatch } from "../tensor/Errors.ts"
import * as Random from "../tensor/Random.ts"
import type * as Graph from "./Graph.ts"
import * as TraceNodes from "./TraceNodes.ts"

// ---- watching -----------------------------------------------------------------------------------------------

/** What is seen while a model runs. */
interface Watch {
  readonly target: string
  readonly calls: Array<TraceNodes.Call>
  /** the call that is going on */
  current: TraceNodes.Call | undefined
}

const fresh = (x: tf.Tensor, known: ReadonlyArray<tf.Tensor>): tf.Tensor => (known.includes(x) ? x.clone() : x)

const renewed = (y: Layer.Value, known: ReadonlyArray<tf.Tensor>): Layer.Value =>
  QuantTensor.isQuantTensor(y) ? { ...y, value: fresh(y.value, known) } : fresh(y, known)

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

const isComposed = (layer: Layer.Stateful): layer is Composed =>
  "over" in layer && typeof layer.over === "function" && "layers" in layer

/** The same layer, whose calls are noted; of a model, its layers' calls. */
const watched = (watch: Watch, layer: Layer.Stateful, path: string): Layer.Stateful => {
  if (isComposed(layer)) {
    const inner = Object.entries(layer.layers).map(
      ([name, one]) => [name, watched(watch, one, path === "" ? name : `${path}.${name}`)] as const
    )
    return layer.over(Object.fromEntries(inner))
  }
  const { apply } = layer as Layer.Layer
  const noted: Layer.Layer["apply"] = (states, x, mode) => {
    const inputs = valuesOf(x)
    const call: TraceNodes.Call = { layer: layer as Layer.Layer, path, states, inputs, uses: [], outputs: [] }
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

/** The states of evaluation, whose quantizers tell what they do. */
const statesOf = (watch: Watch, model: Layer.Stateful): Layer.States =>
  new Map(
    [...Layer.prepare(Layer.read(model), Layer.evaluation)].map(([cell, state]) => {
      const { quantizer } = state
      return [
        cell,
        quantizer === undefined ? state : { ...state, quantizer: telling(watch, cell, state, quantizer) }
      ] as const
    })
  )

/** One run on numbers drawn from a seed. */
const traced = (target: string, model: Layer.Layer, shape: ReadonlyArray<number>, seed: number): Graph.Graph => {
  const made: { graph?: Graph.Graph } = {}
  tf.tidy(() => {
    const watch: Watch = { target, calls: [], current: undefined }
    const count = shape.reduce((a, b) => a * b, 1)
    const x = tf.tensor(Random.uniform(Random.make(seed), count, -1.5, 1.5), [...shape])
    const whole = watched(watch, model, "") as Layer.Layer
    const [y] = whole.apply(statesOf(watch, model), x, Layer.evaluation)
    made.graph = TraceNodes.graphOf(target, x, watch.calls, valuesOf(y))
  })
  return made.graph as Graph.Graph
}

/**
 * The graph of a model as it is now, for inputs of a shape in breve's layout, the batch first. The model is not changed, and nothing
 * is left behind.
 *
 * - formula:  the calls of layers in evaluation, in order; values are known by the tensors that go from call to call
 * - shapes:   `inputShape [n, ...d]`
 * - gradient: none
 * - errors:   NotExportable for layers whose formula is not known as data, values made between layers, and quantizers whose grid
 *   depends on the input; what is wrong with the input, as `Layer.forward`
 * - source:   none
 *
 * @category export
 * @since 0.3.0
 */
export const trace = Effect.fn("Trace.trace")(
  (
    model: Layer.Layer,
    inputShape: ReadonlyArray<number>,
    target = "a graph"
  ): Effect.Effect<Graph.Graph, NotExportable | Layer.InputError> =>
    Effect.gen(function* () {
      if (inputShape.length === 0 || !inputShape.every((size) => Number.isInteger(size) && size > 0))
        return yield* new ShapeMismatch({
          what: "the input shape of an export",
          expected: "whole numbers above 0, the batch first",
          actual: inputShape
        })
      const attempt = (seed: number) =>
        Effect.suspend(() => {
          try {
            return Layer.attempt(() => traced(target, model, inputShape, seed))
          } catch (cause) {
            return Effect.die(cause)
          }
        }).pipe(
          Effect.catchDefect((cause) => (cause instanceof NotExportable ? Effect.fail(cause) : Effect.die(cause)))
        )
      const graph = yield* attempt(1)
      const other = yield* attempt(2)
      const moving = TraceNodes.differing(graph, other)
      if (moving === undefined) return graph
      return yield* new NotExportable({
        target,
        layer: moving.layer,
        kind: moving.kind,
        reason: "what it quantizes to depends on its input; use a quantizer whose scale is learned or constant"
      })
    })
)

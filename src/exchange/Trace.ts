/**
 * The graph of a model, found by running it once.
 *
 * Room: exchange (level 5). Imports: tfjs, effect, `nn`, `tensor`, `./Graph.ts`, `./TraceNodes.ts`. Laws: test/exchange/Trace.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Calls from "../nn/Calls.ts"
import * as Layer from "../nn/Layer.ts"
import { NotExportable } from "../tensor/ExportErrors.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Random from "../tensor/Random.ts"
import type * as Graph from "./Graph.ts"
import * as TraceNodes from "./TraceNodes.ts"

export interface Options {
  /** what the graph is for, in messages; default: "a graph" */
  readonly target?: string
  /** default: evaluation */
  readonly mode?: Layer.Mode
  /** the input are whole numbers below this one, as a table of vectors takes them; default: the input are floats */
  readonly indices?: number | undefined
}

/** Numbers drawn from a seed. */
const drawn = (shape: ReadonlyArray<number>, indices: number | undefined, seed: number): tf.Tensor => {
  const count = shape.reduce((a, b) => a * b, 1)
  if (indices === undefined) return tf.tensor(Random.uniform(Random.make(seed), count, -1.5, 1.5), [...shape])
  const rows = Int32Array.from(Random.uniform(Random.make(seed), count, 0, indices), Math.floor)
  return tf.tensor(
    rows.map((row) => Math.min(row, indices - 1)),
    [...shape],
    "int32"
  )
}

/** One run on numbers drawn from a seed. */
const traced = (
  model: Layer.Layer,
  shape: ReadonlyArray<number>,
  { target = "a graph", mode = Layer.evaluation, indices }: Options,
  seed: number
): Graph.Graph => {
  const made: { graph?: Graph.Graph } = {}
  tf.tidy(() => {
    const x = drawn(shape, indices, seed)
    const { calls, outputs } = Calls.run(model, x, mode)
    made.graph = TraceNodes.graphOf(target, x, calls, outputs, indices)
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
    options: Options = {}
  ): Effect.Effect<Graph.Graph, NotExportable | Layer.InputError> =>
    Effect.gen(function* () {
      if (inputShape.length === 0 || !inputShape.every((size) => Number.isInteger(size) && size > 0))
        return yield* new ShapeMismatch({
          what: "the input shape of an export",
          expected: "whole numbers above 0, the batch first",
          actual: inputShape
        })
      const { indices, target = "a graph" } = options
      if (indices !== undefined && !(Number.isInteger(indices) && indices > 0))
        return yield* new ShapeMismatch({
          what: "the indices of an export",
          expected: "a whole number above 0, which all of them lie below",
          actual: [indices]
        })
      const attempt = (seed: number) =>
        Effect.suspend(() => {
          try {
            return Layer.attempt(() => traced(model, inputShape, options, seed))
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

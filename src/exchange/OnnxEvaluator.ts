/**
 * Computes ONNX files in plain arrays, QONNX's own nodes included, which no runtime knows: slow, and made of nothing that the
 * exporter is made of but the file's bytes. A runtime like another one: `Effect.provide(OnnxEvaluator.layer)`.
 *
 * Every node is computed in float64 and rounded to float32 at its end.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, `./OnnxArrays.ts`, `./OnnxModel.ts`, `./OnnxNodes.ts`, `./OnnxProto.ts`,
 * `./OnnxQuantNodes.ts`, `./OnnxRuntime.ts`. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import { Effect, Layer } from "effect"
import { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import * as OnnxArrays from "./OnnxArrays.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as OnnxNodes from "./OnnxNodes.ts"
import * as OnnxProto from "./OnnxProto.ts"
import * as OnnxQuantNodes from "./OnnxQuantNodes.ts"
import { type Floats, OnnxRuntime, type Runtime } from "./OnnxRuntime.ts"

const name = "breve's evaluator"

const failed =
  (action: "load" | "run") =>
  (cause: unknown): RuntimeFailed =>
    new RuntimeFailed({ runtime: name, action, reason: cause instanceof Error ? cause.message : String(cause) })

/** A file that was read: what it computes from which constants. */
export interface Program {
  readonly graph: OnnxModel.Graph
  readonly constants: ReadonlyMap<string, OnnxArrays.Values>
}

/** What may look at what a node made, and put something else in its place; `rounding` of nodes that round. */
type Look = (step: number, data: Float64Array, rounding: OnnxQuantNodes.Rounding | undefined) => Float64Array

/** All nodes in the order of the file, from the input on; throws where a value is missing or a node is not known. */
export const computed = ({ graph, constants }: Program, x: Floats, look: Look = (_, data) => data): Floats => {
  const known = new Map(constants)
  known.set(graph.input[0]?.name ?? "", { shape: x.shape, data: Float64Array.from(x.data) })
  const valueNamed = (wanted: string): OnnxArrays.Values => {
    const value = known.get(wanted)
    if (value === undefined) throw new Error(`"${wanted}" is used before it is there`)
    return value
  }
  const given = (name: string): OnnxArrays.Values | undefined => (name === "" ? undefined : valueNamed(name))
  for (const [step, node] of graph.node.entries()) {
    const inputs = node.input.map(given)
    const value = OnnxNodes.compute(node, inputs)
    // what is made of constants is as it is
    const isFixed = node.input.every((name) => constants.has(name))
    const rounding = isFixed ? undefined : OnnxQuantNodes.roundingOf(node, inputs)
    known.set(node.output[0] ?? "", { ...value, data: look(step, value.data, rounding) })
  }
  const { shape, data } = valueNamed(graph.output[0]?.name ?? "")
  return { shape, data: Float32Array.from(data) }
}

/**
 * The program of a file.
 *
 * - errors: RuntimeFailed for bytes that are no ONNX file, or have nodes that are not known
 */
export const program = (bytes: Uint8Array): Effect.Effect<Program, RuntimeFailed> =>
  Effect.gen(function* () {
    const { graph } = yield* Effect.mapError(OnnxProto.decode(bytes), failed("load"))
    const strange = graph.node.find((node) => !OnnxNodes.isKnown(node))
    if (strange !== undefined) return yield* failed("load")(new Error(`it does not know ${strange.opType}`))
    const constants = yield* Effect.try({
      try: () => new Map(graph.initializer.map((tensor) => [tensor.name, OnnxArrays.ofTensor(tensor)])),
      catch: failed("load")
    })
    return { graph, constants }
  })

/**
 * What a program answers.
 *
 * - errors: RuntimeFailed where an input does not fit
 */
export const run = (self: Program, x: Floats): Effect.Effect<Floats, RuntimeFailed> =>
  Effect.try({ try: () => computed(self, x), catch: failed("run") })

const runtime: Runtime = {
  name,
  version: "1",
  open: (bytes) => Effect.map(program(bytes), (self) => ({ run: (x) => run(self, x) }))
}

/** The evaluator as the runtime. */
export const layer: Layer.Layer<OnnxRuntime> = Layer.succeed(OnnxRuntime, runtime)

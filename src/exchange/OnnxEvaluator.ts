/**
 * Computes ONNX files in plain arrays, QONNX's own nodes included, which no runtime knows: slow, and made of nothing that the
 * exporter is made of but the file's bytes. A runtime like another one: `Effect.provide(OnnxEvaluator.layer)`.
 *
 * Every node is computed in float64 and rounded to float32 at its end.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, `./OnnxArrays.ts`, `./OnnxModel.ts`, `./OnnxNodes.ts`, `./OnnxProto.ts`,
 * `./OnnxRuntime.ts`. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import { Effect, Layer } from "effect"
import { RuntimeFailed } from "../tensor/RuntimeErrors.ts"
import * as OnnxArrays from "./OnnxArrays.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as OnnxNodes from "./OnnxNodes.ts"
import * as OnnxProto from "./OnnxProto.ts"
import { type Floats, OnnxRuntime, type Runtime } from "./OnnxRuntime.ts"

const name = "breve's evaluator"

const failed =
  (action: "load" | "run") =>
  (cause: unknown): RuntimeFailed =>
    new RuntimeFailed({ runtime: name, action, reason: cause instanceof Error ? cause.message : String(cause) })

/** All nodes in the order of the file, from the input on; throws where a value is missing or a node is not known. */
const computed = (graph: OnnxModel.Graph, constants: ReadonlyMap<string, OnnxArrays.Values>, x: Floats): Floats => {
  const known = new Map(constants)
  known.set(graph.input[0]?.name ?? "", { shape: x.shape, data: Float64Array.from(x.data) })
  const valueNamed = (wanted: string): OnnxArrays.Values => {
    const value = known.get(wanted)
    if (value === undefined) throw new Error(`"${wanted}" is used before it is there`)
    return value
  }
  const given = (name: string): OnnxArrays.Values | undefined => (name === "" ? undefined : valueNamed(name))
  for (const node of graph.node) known.set(node.output[0] ?? "", OnnxNodes.compute(node, node.input.map(given)))
  const { shape, data } = valueNamed(graph.output[0]?.name ?? "")
  return { shape, data: Float32Array.from(data) }
}

const runtime: Runtime = {
  name,
  version: "1",
  open: (bytes) =>
    Effect.gen(function* () {
      const { graph } = yield* Effect.mapError(OnnxProto.decode(bytes), failed("load"))
      const strange = graph.node.find((node) => !OnnxNodes.isKnown(node))
      if (strange !== undefined) return yield* failed("load")(new Error(`it does not know ${strange.opType}`))
      const constants = yield* Effect.try({
        try: () => new Map(graph.initializer.map((tensor) => [tensor.name, OnnxArrays.ofTensor(tensor)])),
        catch: failed("load")
      })
      return { run: (x) => Effect.try({ try: () => computed(graph, constants, x), catch: failed("run") }) }
    })
}

/** The evaluator as the runtime. */
export const layer: Layer.Layer<OnnxRuntime> = Layer.succeed(OnnxRuntime, runtime)

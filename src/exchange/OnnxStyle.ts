/**
 * How quantization is written in ONNX: what the two dialects decide, each in its file.
 *
 * Room: exchange (level 5). Imports: `tensor`, `./Graph.ts`, `./OnnxBuilder.ts` types. Laws: test/exchange/Onnx.test.ts.
 */
import { NotExportable } from "../tensor/ExportErrors.ts"
import * as Graph from "./Graph.ts"
import type { Builder } from "./OnnxBuilder.ts"

/** Where something is written: the node of the graph that it belongs to. */
export interface Place {
  readonly builder: Builder
  readonly node: Graph.Node
  /** names begin so */
  readonly name: string
}

export type Truncation = Extract<Graph.Operation, { op: "truncate" }>

/** Numbers and axes are those of ONNX: channels first, weights with the output channel first. */
export interface Style {
  readonly target: string
  readonly quantize: (place: Place, x: string, grid: Graph.Grid, axis: number | undefined) => string
  /** `isUneven`: the values lie between the integers that are to be cut, and go to the nearest ones first */
  readonly truncate: (
    place: Place,
    x: string,
    operation: Truncation,
    axis: number | undefined,
    isUneven: boolean
  ) => string
  readonly weight: (place: Place, constant: Graph.Constant) => string
  readonly bias: (place: Place, constant: Graph.Constant) => string
}

/** What a dialect does not know. */
export const refusal = (target: string, { layer, kind }: Graph.Node, reason: string): NotExportable =>
  new NotExportable({ target, layer, kind, reason })

/** The one axis along which the scales of a constant vary; undefined: there is one scale. */
export const axisOf = (target: string, node: Graph.Node, { scale }: Graph.Grid, rank: number): number | undefined => {
  const axis = Graph.axisOf(scale, rank)
  if (axis === "several")
    throw refusal(target, node, "its scales vary along several axes; use one per tensor or channel")
  return axis
}

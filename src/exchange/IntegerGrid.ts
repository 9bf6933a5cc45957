/**
 * What the integers of a grid mean, and which grids have none: for values whose last axis is that of channels.
 *
 * Room: exchange (level 5). Imports: `tensor`, `./Graph.ts`, `./GraphConstants.ts`, `./IntegerProgram.ts` types.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import { NotExportable } from "../tensor/ExportErrors.ts"
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import type * as Program from "./IntegerProgram.ts"

export const target = "an integer network"

export const refusal = ({ layer, kind }: Graph.Node, reason: string): NotExportable =>
  new NotExportable({ target, layer, kind, reason })

/** The scales and the one zero-point of a grid, for values whose last axis is that of channels. */
export const meaningOf = (node: Graph.Node, grid: Graph.Grid, rank: number): Program.Meaning => {
  if (grid.kind === "minifloat") throw refusal(node, "its values are minifloats; use a quantizer of integers")
  const { scale, zeroPoint, ...whole } = GraphConstants.asIntegers(grid)
  const axis = Graph.axisOf(scale, rank)
  if (axis === "several" || (axis !== undefined && axis !== rank - 1))
    throw refusal(node, "its scales are those of another axis than the channels; use one scale per tensor or channel")
  const [zero = 0, ...others] = zeroPoint.data
  if (!Number.isInteger(zero) || others.some((other) => other !== zero))
    throw refusal(node, "its zero-points are no single whole number; use a quantizer that rounds its zero-point")
  if (!scale.data.every((s) => s > 0 && Number.isFinite(s)))
    throw refusal(node, "a scale is 0 or not finite; train or calibrate the quantizer first")
  const [low, high] = Graph.boundsOf(whole)
  return { scale: Float64Array.from(scale.data), zeroPoint: zero, low, high }
}

/** One scale for all, of what goes into sums. */
export const single = (node: Graph.Node, { scale, ...meaning }: Program.Meaning): Program.Meaning => {
  if (scale.length !== 1)
    throw refusal(node, "its input has a scale for each channel, which cannot leave the sum; quantize it per tensor")
  return { ...meaning, scale }
}

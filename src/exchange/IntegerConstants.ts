/**
 * The weights and biases of a layer as integers: weights without their zero-points, biases in units of the sums.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`, `./GraphConstants.ts`, `./IntegerGrid.ts`, `./IntegerProgram.ts` types.
 * Laws: test/exchange/IntegerNetwork.test.ts.
 */
import * as Graph from "./Graph.ts"
import * as GraphConstants from "./GraphConstants.ts"
import { refusal } from "./IntegerGrid.ts"
import type * as Program from "./IntegerProgram.ts"

/** What becomes of a bias off the grid of its layer's sums: refused, or put to the nearest integer. */
export type Biases = "refuse" | "round"

/** The weight in integers without their zero-points, and its scale, one for all or one for each output. */
export const weightOf = (
  node: Graph.Node,
  constant: Graph.Constant,
  /** of a transposed convolution, whose outputs are the last axis but one, and those of one group */
  groups?: number
): { readonly integers: Program.Integers; readonly scale: Float64Array } => {
  const { quantized, raw } = constant
  if (quantized === undefined) throw refusal(node, "its weight is not quantized; give weightQuant")
  if (quantized.grid.kind === "minifloat") throw refusal(node, "its weight is made of minifloats; use integers")
  const grid = GraphConstants.asIntegers(quantized.grid)
  const whole = GraphConstants.integersOf(constant)
  const axis = Graph.axisOf(grid.scale, raw.shape.length)
  if (whole === undefined) throw refusal(node, "its quantized weight does not lie on its grid")
  const outputs = raw.shape.length - (groups === undefined ? 1 : 2)
  if (axis === "several" || (axis !== undefined && axis !== outputs))
    throw refusal(node, "the scales of its weight vary within a sum; use one per tensor or output channel")
  const zeroAt = GraphConstants.spread(grid.zeroPoint, raw.shape)
  const zeros = grid.zeroPoint.data
  if (!zeros.every(Number.isInteger)) throw refusal(node, "the zero-point of its weight is no whole number")
  const data = Int32Array.from(whole, (q, i) => q - (zeros[zeroAt(i)] as number))
  const scales = grid.scale.data
  const all = axis === undefined ? [scales] : Array.from({ length: groups ?? 1 }, () => scales)
  return { integers: { shape: raw.shape, data }, scale: Float64Array.from(all.flatMap((some) => [...some])) }
}

/** The bias in units of the sums. */
export const biasOf = (
  node: Graph.Node,
  constant: Graph.Constant | undefined,
  sums: Float64Array,
  biases: Biases
): Float64Array | undefined => {
  if (constant === undefined) return undefined
  const { raw, quantized } = constant
  const unit = (i: number): number => sums[sums.length === 1 ? 0 : i] as number
  const round = biases === "round"
  const helps = 'quantize it to the scale of the sums (biasQuant: Int32Bias), or ask for { biases: "round" }'
  if (quantized === undefined || quantized.grid.kind !== "integer") {
    if (!round) throw refusal(node, `its bias has no integers; ${helps}`)
    const value = quantized?.value ?? raw
    return Float64Array.from(value.data, (b, i) => GraphConstants.roundEven(b / unit(i)) + 0)
  }
  const { grid } = quantized
  const whole = GraphConstants.integersOf(constant)
  if (whole === undefined) throw refusal(node, "its quantized bias does not lie on its grid")
  const [scaleAt, zeroAt] = [
    GraphConstants.spread(grid.scale, raw.shape),
    GraphConstants.spread(grid.zeroPoint, raw.shape)
  ]
  return whole.map((q, i) => {
    const scale = grid.scale.data[scaleAt(i)] as number
    const ratio = scale / unit(i)
    const near = Math.round(ratio)
    const centred = q - (grid.zeroPoint.data[zeroAt(i)] as number)
    // the scale of the products was rounded to float32 when it was told to the bias
    if (near >= 1 && Math.abs(ratio - near) <= near * 2 ** -22) return centred * near
    if (!round) throw refusal(node, `the scale of its bias is no multiple of that of its sums; ${helps}`)
    return GraphConstants.roundEven(centred * ratio) + 0
  })
}

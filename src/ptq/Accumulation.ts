/**
 * What accumulator-aware rounding must know of a layer: the integers of its inputs, the scales of its weight, the integers of its bias.
 *
 * Room: ptq (level 5). Imports: effect's `Result`, `core`, `nn` types, `proxy` types, `tensor`, `./AxeMath.ts`, `./ColumnRounding.ts`,
 * `./Ptq.ts`, `./Unfold.ts`. Laws: test/ptq/Axe.test.ts.
 */
import { Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import { AccumulatorUnfit } from "../tensor/StepErrors.ts"
import * as AxeMath from "./AxeMath.ts"
import * as ColumnRounding from "./ColumnRounding.ts"
import * as Ptq from "./Ptq.ts"
import type * as Unfold from "./Unfold.ts"

/** A layer whose sums are to keep to an accumulator. */
export interface About extends Ptq.Named {
  readonly step: string
  readonly proxy: QuantProxy
  readonly lie: Unfold.Lie
  readonly weight: Ptq.Host
  readonly format: ColumnRounding.Format | undefined
}

/** The integers of the bias at the scale of the accumulator, rounded away from 0; of a bias that is not quantized, too. */
const biasesOf = ({ layer }: About, scales: Float32Array, inputScale: number): Float64Array => {
  const bias = Ptq.hostOf(LeasedRef.current(layer.own).parameters, "bias")?.data
  return Float64Array.from(scales, (scale, i) => {
    const steps = (bias?.[i] ?? 0) / (scale * inputScale)
    return Math.sign(steps) * Math.ceil(Math.abs(steps))
  })
}

const grid = (about: About, { tile }: AxeMath.Accumulator): Result.Result<AxeMath.Grid, string> => {
  const { layer, proxy, lie, weight, format } = about
  if (format === undefined)
    return Result.fail(
      "its inputs are no integers; give it inputQuant, or let the layer before it answer quant tensors (returnQuantTensor: true), and leave quantActivations on"
    )
  const scales = ColumnRounding.scalesOf(layer, proxy, lie, weight, format)
  if (scales === undefined)
    return Result.fail(
      "its weights are no integers around 0 with a scale per tensor or channel; choose such a quantizer"
    )
  const hasBias = LeasedRef.current(layer.own).parameters.bias !== undefined
  if (hasBias && tile === undefined && format.scale === undefined)
    return Result.fail(
      "its inputs have several scales, so that its bias has no integers; give it an input with one scale"
    )
  const { low, high } = QuantTensor.boundsOf(format.bitWidth, format.signed)
  const zero = format.zeroPoint ?? 0
  const inputs = { low: Math.min(0, low - zero), high: Math.max(0, high - zero) }
  return Result.succeed({ inputs, scales, biases: biasesOf(about, scales, format.scale ?? 1) })
}

/** The grids of the groups of a layer, or why it cannot keep to the accumulator. */
export const gridsOf = (
  about: About,
  accumulator: AxeMath.Accumulator
): Result.Result<ReadonlyArray<AxeMath.Grid>, AccumulatorUnfit> => {
  const { step, name: layer, lie } = about
  const unfit = (reason: string): AccumulatorUnfit => new AccumulatorUnfit({ step, layer, reason })
  const { bitWidth, tile } = accumulator
  if (!(Number.isInteger(bitWidth) && bitWidth >= 2 && bitWidth <= 48))
    return Result.fail(unfit(`its bitWidth must be a whole number from 2 to 48, not ${bitWidth}`))
  if (tile !== undefined && !(Number.isInteger(tile) && tile >= 1))
    return Result.fail(unfit(`its tile must be a whole number of products from 1 up, not ${tile}`))
  return Result.flatMap(Result.mapError(grid(about, accumulator), unfit), (whole) => {
    const least = AxeMath.leastBits({ ...whole, biases: tile === undefined ? whole.biases : [] })
    if (bitWidth < least)
      return Result.fail(
        unfit(
          `with inputs of ${whole.inputs.low} to ${whole.inputs.high} it needs ${least} bits at least, not ${bitWidth}`
        )
      )
    const each = lie.outputs / lie.groups
    const part = (all: ArrayLike<number>, group: number): ReadonlyArray<number> =>
      Array.from(all).slice(group * each, (group + 1) * each)
    return Result.succeed(
      Array.from({ length: lie.groups }, (_, group) => ({
        inputs: whole.inputs,
        scales: part(whole.scales, group),
        biases: part(whole.biases, group)
      }))
    )
  })
}

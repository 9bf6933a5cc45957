/**
 * Values on one grid: a value is put onto the grid of another one, so that both can be added, compared or joined.
 *
 * Room: core (level 2). Imports: tfjs, effect's `Result`, `op`, `tensor`, the family of `./QuantTensor.ts`.
 * Laws: test/core/QuantTensorAlign.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as FakeQuant from "../op/FakeQuant.ts"
import * as SignQuant from "../op/SignQuant.ts"
import * as Host from "../tensor/Host.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import { FormatMismatch } from "../tensor/QuantTensorErrors.ts"
import { boundsOf, fitsInto, isBinary } from "./QuantGrid.ts"
import {
  dequantized,
  isIntegral,
  isQuantTensor,
  madeOf,
  make,
  owned,
  type QuantTensor,
  same,
  shapeOf,
  type Value
} from "./QuantValue.ts"

const kindOf = (x: Value): string => {
  if (!isQuantTensor(x)) return "a plain value"
  return x.float !== undefined ? "minifloats" : x.grouped !== undefined ? "groups" : "integers"
}

const sideOf = (x: Value) => ({ origin: isQuantTensor(x) ? x.origin : undefined, has: kindOf(x) })

/** What is wrong with a grid for a value. */
const unfit = (x: Value, grid: Value): FormatMismatch | ShapeMismatch | undefined => {
  if (!isIntegral(grid))
    return new FormatMismatch({ operation: "alignScales", property: "kind", sides: [sideOf(x), sideOf(grid)] })
  const shape = shapeOf(x)
  const part = [grid.scale, grid.zeroPoint].find((one) => one.size > 1 && !fitsInto(one.shape, shape))
  if (part === undefined) return undefined
  const what = `alignScales: a value for the grid of ${grid.origin ?? "the other operand"}`
  return new ShapeMismatch({ what, expected: `one into which [${part.shape.join(", ")}] broadcasts`, actual: shape })
}

/**
 * Puts a value onto the grid of another one: the nearest of its values, the ends of its range for what lies beyond. Scale,
 * zero-point, width and sign are then those of the grid, so that both can be added. A plain value is quantized so, too.
 *
 * - formula:  `q = clamp(round(x / s + z), low, high)`, `value = (q - z) s`, with `s`, `z` and the range of the grid; `sign(x) s` for
 *   one signed bit
 * - shapes:   `x [...d], scale and zero-point of the grid broadcast to [...d] -> y [...d]`
 * - gradient: `dx = dy` where the rounded value lies in the range, else 0; to the grid's scale and zero-point as when quantizing
 * - errors:   `FormatMismatch` where the grid is not one of integers without groups; `ShapeMismatch`; NaN passes
 * - source:   Jacob et al. 2018, arXiv:1712.05877 (appendix A.2: the inputs of an addition are rescaled to one scale)
 *
 * @category grid
 * @since 0.3.0
 */
export const alignScales = (x: Value, grid: Value): Result.Result<QuantTensor, FormatMismatch | ShapeMismatch> => {
  const wrong = unfit(x, grid)
  if (wrong !== undefined) return Result.fail(wrong)
  const { scale, zeroPoint, bitWidth, signed, training } = grid as QuantTensor
  const { low, high } = boundsOf(Host.floats(bitWidth)[0] as number, signed)
  const value = dequantized(x)
  const fitted = (part: tf.Tensor): tf.Tensor => (part.size === 1 ? tf.reshape(part, []) : same(part))
  return Result.succeed(
    owned(() => {
      const [s, z] = [fitted(scale), fitted(zeroPoint)]
      return make({
        value: isBinary(grid as QuantTensor)
          ? SignQuant.clampedBinary(value, s, false)
          : FakeQuant.fakeQuantize(value, s, z, low, high, { rounding: "nearest", clampPasses: false }),
        scale: s,
        zeroPoint: z,
        bitWidth: same(bitWidth),
        signed,
        training: training || (isQuantTensor(x) && x.training),
        origin: madeOf("alignScales", x, grid)
      })
    })
  )
}

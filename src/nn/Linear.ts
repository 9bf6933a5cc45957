/**
 * The quantized fully connected layer.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `op`, `./Weighted.ts`, `./Weightless.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as Linalg from "../op/Linalg.ts"
import type * as Layer from "./Layer.ts"
import type { Overrides } from "./Slot.ts"
import * as Weighted from "./Weighted.ts"
import * as Weightless from "./Weightless.ts"

export interface Options<PW, W, PB, B, PI, I, PO, O> extends Weighted.Options<PW, W, PB, B, PI, I, PO, O> {
  readonly inFeatures: number
  readonly outFeatures: number
}

const product = (sizes: ReadonlyArray<number>): number => sizes.reduce((a, b) => a * b, 1)

/**
 * A quantized affine map of each row.
 *
 * - formula:  `y = Q(x) Q(W) + Q(b)`, each `Q` where there is a quantizer
 * - shapes:   `x [...d, in], W [in, out], b [out] -> y [...d, out]`
 * - gradient: through every quantizer
 * - errors:   InvalidOptions where sizes are not above 0; ShapeMismatch for other inputs; MissingInput where a quantizer or a quant
 *   tensor needs formats that are not there
 * - source:   Brevitas, nn/quant_linear.py
 *
 * @since 0.1.0
 */
export const quantLinear = <
  PW,
  PB,
  PI,
  PO,
  const W extends Overrides = {},
  const B extends Overrides = {},
  const I extends Overrides = {},
  const O extends Overrides = {}
>(
  options: Options<PW, W, PB, B, PI, I, PO, O>
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> =>
  Weighted.make(
    {
      kind: "QuantLinear",
      form: { op: "linear" },
      weightShape: [options.inFeatures, options.outFeatures],
      fanIn: options.inFeatures,
      outChannels: options.outFeatures,
      outputChannelAxis: 1,
      products: ([inFeatures = 0]) => inFeatures,
      check: () =>
        Weightless.wrongIn("QuantLinear", {
          inFeatures: [options.inFeatures],
          outFeatures: [options.outFeatures]
        }),
      formula: (x, weight, bias) => {
        const [inFeatures, outFeatures] = weight.shape as [number, number]
        Weightless.expectShape("QuantLinear", x, ["...", inFeatures])
        const rows = x.shape.slice(0, -1)
        const flat = rows.length === 1 ? x : tf.reshape(x, [product(rows), inFeatures])
        const y = Linalg.linear(flat as tf.Tensor2D, weight as tf.Tensor2D, bias as tf.Tensor1D | undefined)
        return rows.length === 1 ? y : tf.reshape(y, [...rows, outFeatures])
      }
    },
    options as unknown as Weighted.Erased
  )

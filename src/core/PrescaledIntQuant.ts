/**
 * Integer quantization with a scale from outside: biases on the scale of their layer's accumulator.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { type BitWidth, positive } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import type { IntQuant } from "./IntQuant.ts"
import { type External, given, merged, type TensorQuantizer } from "./TensorQuantizer.ts"

const dependencies = { intQuant: Injector.required<IntQuant>(), bitWidthImpl: Injector.required<BitWidth>() }
type Parts = Injector.AllOf<typeof dependencies>

const prescaled = (
  label: string,
  needs: NonNullable<TensorQuantizer["needs"]>,
  { intQuant, bitWidthImpl }: Parts,
  widthOf: (external: External | undefined) => readonly [inputBitWidth?: tf.Tensor]
): TensorQuantizer => {
  const msbClampBitWidthImpl = positive(bitWidthImpl)
  const zeroPoint = tf.scalar(0)
  const children = { intQuant, msbClampBitWidthImpl, zeroPoint: Brick.shown("StatelessBuffer") }
  return Brick.make(
    label,
    children,
    { constants: [zeroPoint] },
    {
      needs,
      apply: (state: Brick.State, x: tf.Tensor, external?: External) => {
        const scale = given(label, external, "scale")
        const width = widthOf(external)
        const [bitWidth, afterBits] = Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl", ...width)
        const [value, afterInt] = state.observing
          ? [intQuant.inputViewImpl.apply(x), {}]
          : Brick.call(intQuant, state, "intQuant", x, scale, zeroPoint, bitWidth)
        const memory = Brick.remembered(state.memory, { intQuant: afterInt, msbClampBitWidthImpl: afterBits })
        return [merged({ value, scale, zeroPoint, bitWidth }, intQuant.inputViewImpl, x.shape), memory] as const
      }
    }
  )
}

/**
 * Integer quantization with a scale from outside and the zero-point 0.
 *
 * - formula:  as `IntQuant` with `scale` from outside, `z = 0`
 * - shapes:   `x [...d], scale broadcast to [...d] -> y [...d]`
 * - gradient: as `IntQuant`, into the scale from outside too
 * - errors:   none; `MissingInput` at the borders without a scale
 * - source:   Jacob et al. 2018, arXiv:1712.05877 (biases); Brevitas, core/quant/int.py
 *
 * @since 0.2.0
 */
export const PrescaledRestrictIntQuant = Brick.component("PrescaledRestrictIntQuant", dependencies, (parts) =>
  prescaled("PrescaledRestrictIntQuant", ["scale"], parts, () => [])
)

/**
 * The same with a bit-width that follows the width of the input.
 *
 * - formula:  as `PrescaledRestrictIntQuant` with `b = bitWidth(inputBitWidth)`
 * - shapes:   `x [...d], scale broadcast to [...d], inputBitWidth [] -> y [...d]`
 * - gradient: as `IntQuant`, into the scale and the width from outside too
 * - errors:   none; `MissingInput` at the borders without a scale and a width
 * - source:   Brevitas, core/quant/int.py (PrescaledRestrictIntQuantWithInputBitWidth)
 *
 * @since 0.2.0
 */
export const PrescaledRestrictIntQuantWithInputBitWidth = Brick.component(
  "PrescaledRestrictIntQuantWithInputBitWidth",
  dependencies,
  (parts) => {
    const label = "PrescaledRestrictIntQuantWithInputBitWidth"
    return prescaled(label, ["scale", "bitWidth"], parts, (external) => [given(label, external, "bitWidth")])
  }
)

/**
 * Integer quantization with one scale for rounding and another one for what comes back: accumulator-aware and weight-normalised
 * quantizers.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as IntQuant from "./IntQuant.ts"
import { type IntScaling, widthFor } from "./IntScaling.ts"
import type { Scaling } from "./Scaling.ts"
import { type External, given, merged, type Quantized, searching, type TensorQuantizer } from "./TensorQuantizer.ts"
import type { View } from "./View.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

/** The grids before and after rounding. */
export interface Grids {
  readonly preScale: tf.Tensor
  readonly preZeroPoint: tf.Tensor
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
}

/** Quantizes with two grids from outside; groups stay apart. */
export interface DecoupledIntQuant extends Brick.Stateful<readonly [x: tf.Tensor, grids: Grids], tf.Tensor> {
  readonly inputViewImpl: View
  /** the integers alone, as floats so that NaN stays NaN */
  readonly toInt: IntQuant.IntQuant["toInt"]
}

/** A scale for rounding only; some depend on the format of the layer's input. */
export type PreScaling = Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor>
/** The same, which depends on the width and sign of the layer's input. */
export type PreScalingWithInput = Brick.Stateful<
  readonly [x: tf.Tensor, inputBitWidth: tf.Tensor, inputSigned: boolean],
  tf.Tensor
>

/**
 * Uniform integer quantization with a scale and zero-point for rounding, and others for what comes back.
 *
 * - formula:  `q = clamp(round(view(x) / preScale + preZ), min, max)`, `y = (q - z) * scale`
 * - shapes:   `x [...d], scales and zero-points broadcast to [...d] -> y [...d]`, of the view's shape
 * - gradient: `dx = dy * scale / preScale` inside the range, else by the clamp; `dscale = sum(dy * (q - z))`
 * - errors:   none; NaN passes, infinities become the ends of the range
 * - source:   Brevitas, core/quant/int_base.py (DecoupledIntQuant)
 *
 * @since 0.2.0
 */
export const DecoupledIntQuant = Injector.component(
  "DecoupledIntQuant",
  IntQuant.dependencies,
  (parts): DecoupledIntQuant => {
    const { children, toInt, through } = IntQuant.halves(parts)
    return Brick.make(
      "DecoupledIntQuant",
      children,
      {},
      {
        inputViewImpl: parts.inputViewImpl,
        toInt,
        apply: (state: Brick.State, x: tf.Tensor, grids: Grids) =>
          through(state, x, { ...grids, scale: grids.preScale, zeroPoint: grids.preZeroPoint }, grids)
      }
    )
  }
)

const dependencies = <Pre>() => ({
  decoupledIntQuant: Injector.required<DecoupledIntQuant>(),
  preScalingImpl: Injector.required<Pre>(),
  scalingImpl: Injector.required<Scaling>(),
  intScalingImpl: Injector.required<IntScaling>(),
  preZeroPointImpl: Injector.required<ZeroPoint>(),
  zeroPointImpl: Injector.required<ZeroPoint>(),
  bitWidthImpl: Injector.required<BitWidth>()
})
type Parts<Pre> = Injector.AllOf<ReturnType<typeof dependencies<Pre>>>

/** The scale for rounding, before its division by the integer threshold. */
type PreScaleOf = (state: Brick.State, x: tf.Tensor, external: External | undefined) => Brick.Answer<tf.Tensor>

const rescaling = <Pre extends Brick.Brick>(
  label: string,
  parts: Parts<Pre>,
  preScaleOf: PreScaleOf,
  needs: Pick<TensorQuantizer, "needs">
): TensorQuantizer => {
  const { decoupledIntQuant, preScalingImpl, scalingImpl, intScalingImpl, preZeroPointImpl, zeroPointImpl } = parts
  const msbClampBitWidthImpl = widthFor(parts.bitWidthImpl, parts.intScalingImpl)
  const children = {
    decoupledIntQuant,
    preScalingImpl,
    scalingImpl,
    intScalingImpl,
    preZeroPointImpl,
    zeroPointImpl,
    msbClampBitWidthImpl
  }
  const bitsOf = (state: Brick.State) => Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl")
  const scaleOf = (state: Brick.State, x: tf.Tensor, bitWidth: tf.Tensor, searches: Searches) =>
    Brick.call(scalingImpl, searches.forScale(state), "scalingImpl", x, intScalingImpl.apply(bitWidth))

  type Searches = ReturnType<typeof searching>
  const run =
    (external: External | undefined) =>
    (state: Brick.State, x: tf.Tensor, fixedScale?: tf.Tensor): Brick.Answer<Quantized> => {
      const searches = within(external)
      const [bitWidth, afterBits] = bitsOf(state)
      const [preThreshold, afterPre] = preScaleOf(searches.forScale(state), x, external)
      const preScale = tf.div(preThreshold, intScalingImpl.apply(bitWidth))
      const zeroing = searches.forZeroPoint(state, fixedScale)
      const [preZeroPoint, afterPreZero] = Brick.call(
        preZeroPointImpl,
        zeroing,
        "preZeroPointImpl",
        x,
        preScale,
        bitWidth
      )
      const [scale, afterScaling] = fixedScale === undefined ? scaleOf(state, x, bitWidth, searches) : [fixedScale, {}]
      const atScale = searches.forZeroPoint(state, scale)
      const [zeroPoint, afterZero] = Brick.call(zeroPointImpl, atScale, "zeroPointImpl", x, scale, bitWidth)
      const grids = { preScale, preZeroPoint, scale, zeroPoint, bitWidth }
      const [value, afterInt] = state.observing
        ? [decoupledIntQuant.inputViewImpl.apply(x), {}]
        : Brick.call(decoupledIntQuant, state, "decoupledIntQuant", x, grids)
      const after = {
        msbClampBitWidthImpl: afterBits,
        preScalingImpl: afterPre,
        preZeroPointImpl: afterPreZero,
        scalingImpl: afterScaling,
        zeroPointImpl: afterZero,
        decoupledIntQuant: afterInt
      }
      return [{ value, ...grids }, Brick.remembered(state.memory, after)]
    }
  const within = (external: External | undefined): Searches =>
    searching(run(external), (state, x) => scaleOf(state, x, bitsOf(state)[0], within(external))[0])

  return Brick.make(
    label,
    children,
    {},
    {
      ...needs,
      prepare: (state: Brick.State) => {
        const searches = within(undefined)
        const pre = Brick.prepareChild(preScalingImpl, searches.forScale(state), "preScalingImpl")
        const scaled = Brick.prepareChild(scalingImpl, searches.forScale(pre), "scalingImpl")
        const zeroing = searches.forZeroPoint(scaled)
        const preZeroed = Brick.prepareChild(preZeroPointImpl, zeroing, "preZeroPointImpl")
        const zeroed = Brick.prepareChild(zeroPointImpl, preZeroed, "zeroPointImpl")
        const counted = Brick.prepareChild(decoupledIntQuant, zeroed, "decoupledIntQuant")
        return Brick.prepareChild(msbClampBitWidthImpl, counted, "msbClampBitWidthImpl")
      },
      apply: (state: Brick.State, x: tf.Tensor, external?: External) => {
        const [quantized, memory] = run(external)(state, x)
        return [merged(quantized, decoupledIntQuant.inputViewImpl, x.shape), memory] as const
      }
    }
  )
}

/**
 * Decoupled integer quantization whose scales, zero-points and bit-width are computed by their own bricks.
 *
 * - formula:  `preScale = preScaling(x) / T`, `preZ = preZeroPoint(x, preScale, b)`, `scale = scaling(x, T)`,
 *   `z = zeroPoint(x, scale, b)`, `T = intScaling(b)`, then as `DecoupledIntQuant`; observing: `y = x`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: through every brick
 * - errors:   none
 * - source:   Brevitas, core/quant/int.py (DecoupledRescalingIntQuant)
 *
 * @since 0.2.0
 */
export const DecoupledRescalingIntQuant = Injector.component(
  "DecoupledRescalingIntQuant",
  dependencies<PreScaling>(),
  (parts): TensorQuantizer => {
    const pre: PreScaleOf = (state, x) => Brick.call(parts.preScalingImpl, state, "preScalingImpl", x)
    return rescaling("DecoupledRescalingIntQuant", parts, pre, {})
  }
)

/**
 * The same whose scale for rounding depends on the width and sign of the layer's input, as a bound on the accumulator does.
 *
 * - formula:  `preScale = preScaling(x, inputBitWidth, inputSigned) / T`, else as `DecoupledRescalingIntQuant`
 * - shapes:   `x [...d], inputBitWidth [] -> y [...d]`
 * - gradient: through every brick
 * - errors:   none; `MissingInput` at the borders without the width and sign of the input
 * - source:   Colbert et al. 2023, arXiv:2308.13504; Brevitas, core/quant/int.py
 *
 * @since 0.2.0
 */
export const DecoupledRescalingIntQuantWithInput = Injector.component(
  "DecoupledRescalingIntQuantWithInput",
  dependencies<PreScalingWithInput>(),
  (parts): TensorQuantizer => {
    const label = "DecoupledRescalingIntQuantWithInput"
    const pre: PreScaleOf = (state, x, external) =>
      Brick.call(
        parts.preScalingImpl,
        state,
        "preScalingImpl",
        x,
        given(label, external, "bitWidth"),
        given(label, external, "signed")
      )
    return rescaling(label, parts, pre, { needs: ["bitWidth", "signed"] })
  }
)

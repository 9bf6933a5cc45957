/**
 * Uniform integer quantization.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts` and the bricks it is made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as FakeQuant from "../op/FakeQuant.ts"
import * as Range from "../op/Range.ts"
import * as Constant from "../tensor/Constant.ts"
import * as Gradient from "../tensor/Gradient.ts"
import type { BitWidth } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import type { Clamp } from "./Clamp.ts"
import * as Delay from "./Delay.ts"
import { type IntScaling, widthFor } from "./IntScaling.ts"
import type { Rounding } from "./Rounding.ts"
import type { Scaling } from "./Scaling.ts"
import { merged, type Quantized, searching, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"
import type { ZeroPoint } from "./ZeroPoint.ts"

/** Where a float becomes an integer: a scale, a zero-point and a bit-width. */
export interface Grid {
  readonly scale: tf.Tensor
  readonly zeroPoint: tf.Tensor
  readonly bitWidth: tf.Tensor
}

/** Quantizes with a scale, a zero-point and a bit-width from outside; groups stay apart. */
export interface IntQuant
  extends Brick.Stateful<
    readonly [x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor],
    tf.Tensor
  > {
  readonly inputViewImpl: View.View
  /** `clamp(round(view(x) / scale + z), min, max)`: the integers alone, as floats so that NaN stays NaN */
  readonly toInt: (state: Brick.State, x: tf.Tensor, grid: Grid) => Brick.Answer<tf.Tensor>
}

/** What turning floats into integers needs, besides a grid. */
export const dependencies = {
  floatToIntImpl: Injector.required<Rounding>(),
  tensorClampImpl: Injector.required<Clamp>(),
  signed: Injector.required<boolean>(),
  narrowRange: Injector.required<boolean>(),
  quantDelaySteps: Injector.optional(0),
  inputViewImpl: Injector.optional<View.View>(View.identity)
}

/** The parts of integer quantization, and its two halves: to integers, and from integers back to floats. */
export const halves = (given: Injector.AllOf<typeof dependencies>) => {
  const { floatToIntImpl, tensorClampImpl, signed, narrowRange, inputViewImpl } = given
  const delayWrapper = Delay.make(given.quantDelaySteps)
  const range = { signed, narrowRange }
  const integers = (state: Brick.State, viewed: tf.Tensor, { scale, zeroPoint, bitWidth }: Grid) => {
    const shifted = tf.add(tf.div(viewed, scale), zeroPoint)
    const [rounded, afterRounding] = Brick.call(floatToIntImpl, state, "floatToIntImpl", shifted)
    const q = tensorClampImpl.apply(rounded, Range.minInt(bitWidth, range), Range.maxInt(bitWidth, range))
    return [q, afterRounding] as const
  }
  const [rounding, clampPasses] = [floatToIntImpl.kind, tensorClampImpl.passes]
  /** there and back on one grid: in one pass, where the bricks are known */
  const requantized = (state: Brick.State, x: tf.Tensor, there: Grid, back: Omit<Grid, "bitWidth">) => {
    const { scale, zeroPoint, bitWidth } = there
    if (there === back && rounding !== undefined && clampPasses !== undefined) {
      const bits = Constant.numberOf(bitWidth)
      const low = bits === undefined ? Range.minInt(bitWidth, range) : Range.smallest(bits, range)
      const high = bits === undefined ? Range.maxInt(bitWidth, range) : Range.largest(bits, range)
      return [FakeQuant.fakeQuantize(x, scale, zeroPoint, low, high, { rounding, clampPasses }), {}] as const
    }
    const [q, afterRounding] = integers(state, x, there)
    return [tf.mul(tf.sub(q, back.zeroPoint), back.scale), afterRounding] as const
  }
  return {
    children: { floatToIntImpl, tensorClampImpl, delayWrapper, inputViewImpl },
    toInt: (state: Brick.State, x: tf.Tensor, grid: Grid): Brick.Answer<tf.Tensor> => {
      const [q, afterRounding] = integers(state, inputViewImpl.apply(x), grid)
      return [q, Brick.remembered(state.memory, { floatToIntImpl: afterRounding })]
    },
    /** to the integers of one grid, and back from those of another */
    through: (
      state: Brick.State,
      input: tf.Tensor,
      there: Grid,
      back: Omit<Grid, "bitWidth">
    ): Brick.Answer<tf.Tensor> => {
      const x = inputViewImpl.apply(input)
      const [y, afterRounding] = requantized(state, x, there, back)
      const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
      return [value, Brick.remembered(state.memory, { floatToIntImpl: afterRounding, delayWrapper: afterDelay })]
    }
  }
}

/**
 * Uniform integer quantization with scale, zero-point and bit-width given.
 *
 * - formula:  `q = clamp(round(view(x) / scale + z), min, max)`, `y = (q - z) * scale`
 * - shapes:   `x [...d], scale and z broadcast to [...d] -> y [...d]`, of the view's shape
 * - gradient: `dx = dy` where the rounded value lies in the range, else by the clamp; `dscale = sum(dy * ((q - z) - x/scale inside))`
 * - errors:   none; NaN passes, infinities become the ends of the range; scale 0 gives 0, and NaN where x is 0
 * - source:   Jacob et al. 2018, arXiv:1712.05877
 */
export const IntQuant = Injector.component("IntQuant", dependencies, (given): IntQuant => {
  const { children, toInt, through } = halves(given)
  return Brick.make(
    "IntQuant",
    children,
    {},
    {
      inputViewImpl: given.inputViewImpl,
      toInt,
      apply: (state: Brick.State, x: tf.Tensor, scale: tf.Tensor, zeroPoint: tf.Tensor, bitWidth: tf.Tensor) => {
        const grid: Grid = { scale, zeroPoint, bitWidth }
        return through(state, x, grid, grid)
      }
    }
  )
})

/**
 * Integer quantization whose scale, zero-point and bit-width are computed by their own bricks.
 *
 * - formula:  `scale = scaling(x, intScaling(b))`, `z = zeroPoint(x, scale, b)`, then as `IntQuant`; observing: `y = x`
 * - shapes:   `x [...d] -> y [...d]`
 * - gradient: through every brick
 * - errors:   none; an all-zero x gives 0 if the scale has a minimum, else NaN
 * - source:   Brevitas, core/quant/int.py
 */
export const RescalingIntQuant = Injector.component(
  "RescalingIntQuant",
  {
    intQuant: Injector.required<IntQuant>(),
    scalingImpl: Injector.required<Scaling>(),
    intScalingImpl: Injector.required<IntScaling>(),
    zeroPointImpl: Injector.required<ZeroPoint>(),
    bitWidthImpl: Injector.required<BitWidth>()
  },
  ({ intQuant, scalingImpl, intScalingImpl, zeroPointImpl, bitWidthImpl }): TensorQuantizer => {
    const msbClampBitWidthImpl = widthFor(bitWidthImpl, intScalingImpl)
    const children = { intQuant, scalingImpl, intScalingImpl, zeroPointImpl, msbClampBitWidthImpl }
    const scaleOf = (state: Brick.State, x: tf.Tensor, bitWidth: tf.Tensor) =>
      Brick.call(scalingImpl, search.forScale(state), "scalingImpl", x, intScalingImpl.apply(bitWidth))
    const bitsOf = (state: Brick.State) => Brick.call(msbClampBitWidthImpl, state, "msbClampBitWidthImpl")
    /** the scale from the next call on: after the last call that collects it, it is the learned one */
    const lasting = (
      state: Brick.State,
      x: tf.Tensor,
      bitWidth: tf.Tensor,
      scale: tf.Tensor,
      after: Brick.State["memory"]
    ): tf.Tensor => {
      const taken = { ...state, memory: Brick.remembered(state.memory, { scalingImpl: after }) }
      const next = Brick.prepareChild(scalingImpl, taken, "scalingImpl")
      return next === taken ? scale : scaleOf(next, x, bitWidth)[0]
    }
    const run = (state: Brick.State, x: tf.Tensor, fixedScale?: tf.Tensor): Brick.Answer<Quantized> => {
      const [bitWidth, afterBits] = bitsOf(state)
      const passing = Gradient.isRecorded() ? { of: x, latest: x } : undefined
      const watched = passing === undefined ? state : { ...state, passing }
      const [scale, afterScaling] = fixedScale === undefined ? scaleOf(watched, x, bitWidth) : [fixedScale, {}]
      const within = search.forZeroPoint(watched, () => lasting(state, x, bitWidth, scale, afterScaling))
      const [zeroPoint, afterZero] = Brick.call(zeroPointImpl, within, "zeroPointImpl", x, scale, bitWidth)
      const latest = passing?.latest ?? x
      const [value, afterInt] = state.observing
        ? [intQuant.inputViewImpl.apply(latest), {}]
        : Brick.call(intQuant, state, "intQuant", latest, scale, zeroPoint, bitWidth)
      const after = {
        msbClampBitWidthImpl: afterBits,
        scalingImpl: afterScaling,
        zeroPointImpl: afterZero,
        intQuant: afterInt
      }
      return [{ value, scale, zeroPoint, bitWidth }, Brick.remembered(state.memory, after)]
    }
    const search = searching(run, (state, x) => scaleOf(state, x, bitsOf(state)[0])[0])
    return Brick.make(
      "RescalingIntQuant",
      children,
      {},
      {
        prepare: (state: Brick.State) => {
          const scaled = Brick.prepareChild(scalingImpl, search.forScale(state), "scalingImpl")
          const zeroed = Brick.prepareChild(zeroPointImpl, search.forZeroPoint(scaled), "zeroPointImpl")
          const counted = Brick.prepareChild(intQuant, zeroed, "intQuant")
          return Brick.prepareChild(msbClampBitWidthImpl, counted, "msbClampBitWidthImpl")
        },
        apply: (state: Brick.State, x: tf.Tensor) => {
          const [quantized, memory] = run(state, x)
          return [merged(quantized, intQuant.inputViewImpl, x.shape), memory] as const
        }
      }
    )
  }
)

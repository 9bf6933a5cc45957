/**
 * What binary and ternary quantizers share: a scale, and levels that are signs of it.
 *
 * Room: core (level 2). Imports: tfjs, `inject`, `./Brick.ts` and the bricks they are made of.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import { BitWidthConst } from "./BitWidth.ts"
import * as Brick from "./Brick.ts"
import * as Delay from "./Delay.ts"
import type { Scaling } from "./Scaling.ts"
import { merged, type Quantized, searching, type TensorQuantizer } from "./TensorQuantizer.ts"
import * as View from "./View.ts"

/** The levels times the scale, and what the input becomes itself. */
export type Levels = readonly [y: tf.Tensor, written: Pick<Quantized, "input">]

export const dependencies = {
  scalingImpl: Injector.required<Scaling>(),
  quantDelaySteps: Injector.optional(0),
  /** forms groups, if there are any */
  inputViewImpl: Injector.optional<View.View>(View.identity)
}

/** A quantizer of `bits` bits whose levels are those of `levels`, with parts of its `own`; its scale may be searched for. */
export const make = (
  label: string,
  bits: number,
  { scalingImpl, quantDelaySteps, inputViewImpl }: Injector.AllOf<typeof dependencies>,
  levels: (x: tf.Tensor, scale: tf.Tensor) => Levels,
  own: Readonly<Record<string, Brick.Brick>> = {}
): TensorQuantizer => {
  const bitWidth = BitWidthConst({ bitWidth: bits })
  const zeroPoint = tf.scalar(0)
  const delayWrapper = Delay.make(quantDelaySteps)
  const parts = { scalingImpl, bitWidth, zeroPoint: Brick.shown("StatelessBuffer"), delayWrapper, ...own }
  const scaleOf = (state: Brick.State, x: tf.Tensor) =>
    Brick.call(scalingImpl, search.forScale(state), "scalingImpl", x)
  const run = (state: Brick.State, input: tf.Tensor, fixedScale?: tf.Tensor): Brick.Answer<Quantized> => {
    const [scale, afterScaling] = fixedScale === undefined ? scaleOf(state, input) : [fixedScale, {}]
    const x = inputViewImpl.apply(input)
    const [width] = Brick.call(bitWidth, state, "bitWidth")
    const [y, written] = levels(x, scale)
    const [value, afterDelay] = Brick.call(delayWrapper, state, "delayWrapper", x, y)
    const after = { scalingImpl: afterScaling, delayWrapper: afterDelay }
    return [{ value, scale, zeroPoint, bitWidth: width, ...written }, Brick.remembered(state.memory, after)]
  }
  const search = searching(run, (state, x) => scaleOf(state, x)[0])
  return Brick.make(
    label,
    { ...parts, ...View.shownIn(inputViewImpl) },
    { constants: [zeroPoint, ...bitWidth.own] },
    {
      prepare: (state: Brick.State) => Brick.prepareChild(scalingImpl, search.forScale(state), "scalingImpl"),
      apply: (state: Brick.State, x: tf.Tensor) => {
        const [grouped, memory] = run(state, x)
        return [merged(grouped, inputViewImpl, x.shape), memory] as const
      }
    }
  )
}

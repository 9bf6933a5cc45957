import { Injector, Rules, ZeroPoint } from "breve"
import { pipe } from "effect"

/** With one bit the values -1 and 1, with more of them whole parts of 1, as many up as down. */
const quantTypeOf = (bitWidth: number): "binary" | "int" => (bitWidth === 1 ? "binary" : "int")

const Common = Injector.make("Common", {
  quantType: Injector.value(["bitWidth"], quantTypeOf),
  bitWidthImplType: "const",
  scalingImplType: "const",
  restrictScalingType: "fp",
  scalingPerOutput: "tensor",
  floatToIntImplType: "round",
  zeroPointImpl: ZeroPoint.ZeroZeroPoint,
  narrowRange: true,
  signed: true
})

/** Of weights, and of what runs through, with so many bits. */
export const weightOf = (bitWidth: number) =>
  pipe(
    Rules.Weight,
    Injector.merge(Common),
    Injector.merge(Injector.make("CommonWeight", { scalingConst: 1 })),
    Injector.let({ bitWidth })
  )
export const actOf = (bitWidth: number) =>
  pipe(
    Rules.Activation,
    Injector.merge(Common),
    Injector.merge(Injector.make("CommonAct", { minVal: -1, maxVal: 1 })),
    Injector.let({ bitWidth })
  )

/** 1W, 2W, 1A, 2A. */
export const [Weight1, Weight2] = [weightOf(1), weightOf(2)]
export const [Act1, Act2] = [actOf(1), actOf(2)]

/**
 * The quantizers of the networks of small widths: a fixed range of -1 to 1, one bit for its ends, more for what lies between.
 *
 * Room: cli (level 6). Imports: effect, `core`, `inject`, `quant`.
 */
import { pipe } from "effect"
import * as ZeroPoint from "../core/ZeroPoint.ts"
import * as Injector from "../inject/Injector.ts"
import * as Rules from "../quant/Rules.ts"

const { make, merge, named } = Injector

/** With one bit the two values -1 and 1, with more of them whole parts of 1, as many up as down. */
const quantTypeOf = (bitWidth: number): "binary" | "int" => (bitWidth === 1 ? "binary" : "int")

const Common = make("Common", {
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

/** Of weights; whoever uses it says the `bitWidth`. */
export const CommonWeightQuant = pipe(
  Rules.Weight,
  merge(Common),
  merge(make({ scalingConst: 1 })),
  named("CommonWeightQuant")
)

/** Of what runs through; whoever uses it says the `bitWidth`. */
export const CommonActQuant = pipe(
  Rules.Activation,
  merge(Common),
  merge(make({ minVal: -1, maxVal: 1 })),
  named("CommonActQuant")
)

/**
 * Binary quantizers: plus or minus a fixed scale.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as BinaryQuant from "../core/BinaryQuant.ts"
import * as Clamp from "../core/Clamp.ts"
import { make, merge, named } from "../inject/Injector.ts"
import * as Rules from "./Rules.ts"

const SignedBinaryClampedConst = make("SignedBinaryClampedConst", {
  tensorQuant: BinaryQuant.ClampedBinaryQuant,
  scalingImplType: "const",
  restrictScalingType: "fp",
  floatToIntImplType: "round",
  scalingPerOutput: "tensor",
  narrowRange: true,
  signed: true
})

/** Weights of plus or minus 0.1; no gradient beyond. */
export const SignedBinaryWeightPerTensorConst = pipe(
  Rules.Weight,
  merge(SignedBinaryClampedConst),
  merge(make({ tensorClampImpl: Clamp.InplaceTensorClampSte, scalingConst: 0.1 })),
  named("SignedBinaryWeightPerTensorConst")
)

/** Activations of plus or minus 1; no gradient beyond. */
export const SignedBinaryActPerTensorConst = pipe(
  Rules.Activation,
  merge(SignedBinaryClampedConst),
  merge(make({ minVal: -1, maxVal: 1 })),
  named("SignedBinaryActPerTensorConst")
)

/**
 * Ternary quantizers: minus a fixed scale, zero, plus the scale, by rounding to two narrow bits.
 *
 * Room: quant (level 3). Imports: `inject`, `core`, `./Parts.ts`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as Clamp from "../core/Clamp.ts"
import { make, merge, named } from "../inject/Injector.ts"
import * as Parts from "./Parts.ts"
import * as Rules from "./Rules.ts"

/** Weights of -0.1, 0 or 0.1; the clamp passes gradients. */
export const SignedTernaryWeightPerTensorConst = pipe(
  Rules.Weight,
  merge(Parts.NarrowIntQuant),
  merge(Parts.PerTensorConstScaling2bit),
  merge(make({ tensorClampImpl: Clamp.InplaceTensorClampSte, scalingConst: 0.1 })),
  named("SignedTernaryWeightPerTensorConst")
)

/** Activations of -1, 0 or 1; no gradient beyond. */
export const SignedTernaryActPerTensorConst = pipe(
  Rules.Activation,
  merge(Parts.NarrowIntQuant),
  merge(Parts.PerTensorConstScaling2bit),
  merge(make({ minVal: -1, maxVal: 1 })),
  named("SignedTernaryActPerTensorConst")
)

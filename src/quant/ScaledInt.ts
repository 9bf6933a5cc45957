/**
 * Integer quantizers with a float scale.
 *
 * Room: quant (level 3). Imports: `inject`, `./Parts.ts`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import * as Injector from "../inject/Injector.ts"
import * as Parts from "./Parts.ts"
import * as Rules from "./Rules.ts"

const { merge, named } = Injector

/** 8-bit signed narrow-range weights, one scale per tensor from the largest magnitude. */
export const Int8WeightPerTensorFloat = pipe(
  Rules.Weight,
  merge(Parts.NarrowInt),
  merge(Parts.MaxStatsScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8WeightPerTensorFloat")
)

/** 8-bit signed activations, one learned scale per tensor that begins as the 99.999 percentile of the magnitudes. */
export const Int8ActPerTensorFloat = pipe(
  Rules.Activation,
  merge(Parts.Int),
  merge(Parts.ParamFromRuntimePercentileScaling),
  merge(Parts.PerTensorFloatScaling8bit),
  named("Int8ActPerTensorFloat")
)

/** 8-bit unsigned activations, for what a ReLU answers; the scale as in `Int8ActPerTensorFloat`. */
export const Uint8ActPerTensorFloat = pipe(Int8ActPerTensorFloat, merge(Parts.Uint), named("Uint8ActPerTensorFloat"))

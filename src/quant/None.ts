/**
 * No quantization, as a declaration: what a slot does whose option is `null`.
 *
 * Room: quant (level 3). Imports: `inject`, `./Rules.ts`. Every export is a catalogue entry.
 */
import { pipe } from "effect"
import { make, merge, named } from "../inject/Injector.ts"
import * as Rules from "./Rules.ts"

const Float = make("Float", { quantType: "fp", signed: undefined, scalingPerOutput: "tensor" })

/** Weights stay as they are. */
export const NoneWeightQuant = pipe(Rules.Weight, merge(Float), named("NoneWeightQuant"))
/** What runs through stays as it is. */
export const NoneActQuant = pipe(Rules.Activation, merge(Float), named("NoneActQuant"))
/** Biases stay as they are. */
export const NoneBiasQuant = pipe(
  Rules.Bias,
  merge(Float),
  merge(make({ requiresInputScale: false })),
  named("NoneBiasQuant")
)
/** Accumulators stay as they are. */
export const NoneTruncQuant = pipe(Rules.Truncation, merge(Float), named("NoneTruncQuant"))
/** Accumulators stay as they are: the same for a clamp. */
export const NoneClampQuant = pipe(Rules.Truncation, merge(Float), named("NoneClampQuant"))

/**
 * The laws of tensor quantizers, to run against your own: `TensorQuantizerLaws.subject(MyQuantizer)` and `Law.cases`.
 *
 * Room: laws. Imports: its own room.
 */
import * as BeginningLaws from "./BeginningLaws.ts"
import * as GridLaws from "./GridLaws.ts"
import * as HonestyLaws from "./HonestyLaws.ts"
import type { Any } from "./QuantizerLaw.ts"
import * as SymmetryLaws from "./SymmetryLaws.ts"

export { beginning } from "./BeginningLaws.ts"
export { fewLevels, grid, minifloat, monotone, narrowRange, positiveScale, range, rounding, width } from "./GridLaws.ts"
export { deterministic, infinite, nan, nothing, reading, shape, traceless } from "./HonestyLaws.ts"
export { verdicts } from "./QuantizerLaw.ts"
export { declared as subject, handMade, type Options, resolved, type Subject } from "./Subject.ts"
export { idempotent, independent, permuting, requantized, scaling, sign, zero } from "./SymmetryLaws.ts"

/** Every law of what a tensor quantizer answers. */
export const all: ReadonlyArray<Any> = [...GridLaws.all, ...SymmetryLaws.all, ...HonestyLaws.all, ...BeginningLaws.all]

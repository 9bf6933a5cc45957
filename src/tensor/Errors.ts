/**
 * Every expected failure of breve, as tagged errors: each names what went wrong, where, and the repair. This file is the public
 * namespace `Errors`; sources import from the files of the kinds.
 *
 * Room: tensor (level 0). Imports: its own room.
 */
export * from "./ExportErrors.ts"
export * from "./FileErrors.ts"
export * from "./LayerErrors.ts"
export { nearest } from "./Nearest.ts"
export { type Located, within } from "./Place.ts"
export * from "./QuantTensorErrors.ts"
export * from "./RuntimeErrors.ts"
export * from "./StateErrors.ts"
export * from "./StepErrors.ts"
export * from "./WiringErrors.ts"

/**
 * Every ready-made quantizer by name.
 *
 * Room: quant (level 3). Imports: `inject`, its own room.
 */
import type * as Injector from "../inject/Injector.ts"
import * as Binary from "./Binary.ts"
import * as Decoupled from "./Decoupled.ts"
import * as Dynamic from "./Dynamic.ts"
import * as FixedPoint from "./FixedPoint.ts"
import * as Float from "./Float.ts"
import * as FloatFnuz from "./FloatFnuz.ts"
import * as FloatOcp from "./FloatOcp.ts"
import * as FloatOcpNarrow from "./FloatOcpNarrow.ts"
import * as Microscaling from "./Microscaling.ts"
import * as None from "./None.ts"
import * as Optimal from "./Optimal.ts"
import * as ScaledInt from "./ScaledInt.ts"
import * as ShiftedScaledInt from "./ShiftedScaledInt.ts"
import * as Ternary from "./Ternary.ts"

/** Families of quantizers, each a record of entries, in the file of that name. */
export const families: Readonly<Record<string, Readonly<Record<string, Injector.Any>>>> = {
  ScaledInt,
  ShiftedScaledInt,
  FixedPoint,
  Decoupled,
  Binary,
  Ternary,
  Float,
  FloatOcp,
  FloatOcpNarrow,
  FloatFnuz,
  Microscaling,
  Dynamic,
  Optimal,
  None
}

/** All entries by name. */
export const entries: Readonly<Record<string, Injector.Any>> = Object.assign({}, ...Object.values(families))

export { type Facts, type Format, of as facts, type Slot } from "./Facts.ts"
export type { ScaleFacts, ZeroPointFacts } from "./ScaleFacts.ts"

/** The family of an entry. */
export const familyOf = (name: string): string | undefined =>
  Object.keys(families).find((family) => Object.hasOwn(families[family] ?? {}, name))

/** The file, from the root of the package, where the entries of a family are declared. */
export const fileOf = (family: string): string => `src/quant/${family}.ts`

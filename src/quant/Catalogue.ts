/**
 * Every ready-made quantizer by name.
 *
 * Room: quant (level 3). Imports: `inject`, its own room.
 */
import type * as Injector from "../inject/Injector.ts"
import * as ScaledInt from "./ScaledInt.ts"

/** Families of quantizers, each a record of entries. */
export const families: Readonly<Record<string, Readonly<Record<string, Injector.Any>>>> = { ScaledInt }

/** All entries by name. */
export const entries: Readonly<Record<string, Injector.Any>> = Object.assign({}, ...Object.values(families))

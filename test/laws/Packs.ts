/**
 * Every pack of laws.
 */
import * as Injector from "./InjectorPack.ts"
import * as OptimalScale from "./OptimalScalePack.ts"
import * as Pack from "./Pack.ts"

export const packs: ReadonlyArray<Pack.Any> = [Pack.any(Injector.pack), Pack.any(OptimalScale.pack)]

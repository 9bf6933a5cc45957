/**
 * The public modules of breve, one namespace each.
 *
 * The only barrel. `breve/wasm` and `breve/laws` are entries of their own.
 */
export * as Backend from "./backend/Backend.ts"

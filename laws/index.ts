/**
 * `breve/laws`: the laws that quantizers and their parts keep, to run against your own.
 */
export * as InjectorLaws from "./InjectorLaws.ts"
export * as Law from "./Law.ts"
export * as OptimalScaleLaws from "./OptimalScaleLaws.ts"

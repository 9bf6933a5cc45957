/**
 * `breve/laws`: the laws that quantizers and their parts keep, to run against your own, and what laws of your own are made of.
 */
export * as Arbitrary from "./Arbitrary.ts"
export * as ClampLaws from "./ClampLaws.ts"
export * as InjectorLaws from "./InjectorLaws.ts"
export * as InjectorTable from "./InjectorTable.ts"
export * as IntegerLaws from "./IntegerLaws.ts"
export * as Law from "./Law.ts"
export * as MinifloatLaws from "./MinifloatLaws.ts"
export * as OptimalScaleLaws from "./OptimalScaleLaws.ts"
export * as PowerOfTwoLaws from "./PowerOfTwoLaws.ts"
export * as ProxyLaws from "./ProxyLaws.ts"
export * as QuantTensorLaws from "./QuantTensorLaws.ts"
export * as QuantWidthLaws from "./QuantWidthLaws.ts"
export * as ResolutionLaws from "./ResolutionLaws.ts"
export * as RoundingLaws from "./RoundingLaws.ts"
export * as Sample from "./Sample.ts"

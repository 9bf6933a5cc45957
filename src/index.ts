/**
 * The public modules of breve, one namespace each.
 *
 * The only barrel. `breve/wasm` and `breve/laws` are entries of their own.
 */
export * as Backend from "./backend/Backend.ts"
export * as BinaryQuant from "./core/BinaryQuant.ts"
export * as BitWidth from "./core/BitWidth.ts"
export * as Brick from "./core/Brick.ts"
export * as Delay from "./core/Delay.ts"
export * as IntQuant from "./core/IntQuant.ts"
export type * as Module from "./core/Module.ts"
export * as QuantTensor from "./core/QuantTensor.ts"
export * as Scaling from "./core/Scaling.ts"
export * as Statistic from "./core/Statistic.ts"
export * as TensorQuantizer from "./core/TensorQuantizer.ts"
export * as ZeroPoint from "./core/ZeroPoint.ts"
export * as Injector from "./inject/Injector.ts"
export * as Clamp from "./op/Clamp.ts"
export * as Range from "./op/Range.ts"
export * as Round from "./op/Round.ts"
export * as Sign from "./op/Sign.ts"
export * as Parts from "./quant/Parts.ts"
export * as ScaledInt from "./quant/ScaledInt.ts"
export * as Errors from "./tensor/Errors.ts"
export * as Tree from "./tensor/Tree.ts"

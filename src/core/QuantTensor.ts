/**
 * Quantized tensors and their algebra: a value with the scale, zero-point, width and sign, or the minifloat format, that it is
 * made of.
 *
 * Every operation answers tensors of its own, so that disposing a result leaves its operands, and makes nothing besides them. What
 * can fail answers a `Result`; what has no rule for a format (arithmetic of minifloats, shapes of groups) answers a plain tensor.
 *
 * Room: core (level 2). Imports: the family of this file. Laws: test/core/QuantTensor*.test.ts.
 */
export * from "./QuantAlign.ts"
export * from "./QuantArithmetic.ts"
export {
  type Bounds,
  boundsOf,
  checked,
  checkedInt,
  contains,
  int,
  integers,
  isBinary,
  isCentred,
  isValid,
  minifloat,
  saturatedInt
} from "./QuantGrid.ts"
export * from "./QuantInvariant.ts"
export * from "./QuantJoin.ts"
export * from "./QuantProduct.ts"
export { sameScale } from "./QuantScale.ts"
export * from "./QuantShape.ts"
export {
  dequantized,
  dequantizing,
  detached,
  dispose,
  fromNumbers,
  fromQuantized,
  type IntegerFormat,
  isIntegral,
  isQuantTensor,
  make,
  map,
  type Operand,
  type QuantTensor,
  shapeOf,
  shared,
  tensorsOf,
  type Value,
  withValue
} from "./QuantValue.ts"
export * from "./QuantWidth.ts"

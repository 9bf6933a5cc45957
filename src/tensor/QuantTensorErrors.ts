/**
 * What computing with quantized values can fail with.
 *
 * Room: tensor (level 0). Imports: effect's `Data`, `./Place.ts`.
 */
import { Data } from "effect"
import { at } from "./Place.ts"

/** One operand of an operation on quant tensors: who made it, and what it has where the others have something else. */
export interface Side {
  readonly origin: string | undefined
  readonly has: string
}
const sidesOf = (sides: ReadonlyArray<Side>): string =>
  sides
    .map(({ origin, has }, i) => `${origin === undefined ? `operand ${i + 1}` : `"${origin}"`} has ${has}`)
    .join(", ")

/** Quantized values of different scales stand where they must share one. */
export class ScaleMismatch extends Data.TaggedError("ScaleMismatch")<{
  readonly operation: string
  /** the operands in order, with their scales, shortened */
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: the scales differ: ${sidesOf(this.sides)}; let the operands share one quantizer, or put one onto the other's grid with alignScales.`
  }
}

/** Quantized values stand together whose formats differ in more than the scale. */
export class FormatMismatch extends Data.TaggedError("FormatMismatch")<{
  readonly operation: string
  readonly property: "bit width" | "sign" | "zero-point" | "kind" | "minifloat format"
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: the operands differ in their ${this.property}: ${sidesOf(this.sides)}; let them share one quantizer.`
  }
}

/** A product or quotient of integers with a zero-point, which has no single zero-point itself. */
export class UnsupportedZeroPoint extends Data.TaggedError("UnsupportedZeroPoint")<{
  readonly operation: string
  readonly sides: ReadonlyArray<Side>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.operation}: an operand has a zero-point: ${sidesOf(this.sides)}; use a quantizer without one, or plain tensors (QuantTensor.dequantized).`
  }
}

/** A value does not lie on the grid that it says it lies on. */
export class InvalidQuantTensor extends Data.TaggedError("InvalidQuantTensor")<{
  readonly origin: string | undefined
  readonly reason: string
}> {
  override get message(): string {
    return `${this.origin === undefined ? "the quant tensor" : `"${this.origin}"`} has no integers of its format: ${this.reason}; quantize the value again, or take the nearest integers with QuantTensor.saturatedInt.`
  }
}

/** A quantized value was asked for whose quantizer does not say whether it is signed. */
export class UnknownSign extends Data.TaggedError("UnknownSign")<{ readonly injector: string }> {
  override get message(): string {
    return `${this.injector} does not say whether its values are signed; add { signed: true } or { signed: false } with let.`
  }
}

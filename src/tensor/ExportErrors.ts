/**
 * What keeps a model from being exported.
 *
 * Room: tensor (level 0). Imports: effect's `Data` only.
 */
import { Data } from "effect"

/** A part of a model has no equivalent in the form it is to be written in; nothing was written. */
export class NotExportable extends Data.TaggedError("NotExportable")<{
  /** what it was to become: "QCDQ", "QONNX", "an integer network", or any of them */
  readonly target: string
  /** the path of the layer; empty: the model as a whole */
  readonly layer: string
  readonly kind: string
  /** why, and what helps */
  readonly reason: string
}> {
  override get message(): string {
    const where = this.layer === "" ? this.kind : `${this.layer} (${this.kind})`
    return `${where} cannot be exported as ${this.target}: ${this.reason}`
  }
}

/** The sums of a layer can leave the accumulators of the device. */
export class AccumulatorOverflow extends Data.TaggedError("AccumulatorOverflow")<{
  readonly layer: string
  /** signed bits that the sums need in the worst case */
  readonly bits: number
  readonly available: number
}> {
  override get message(): string {
    return `${this.layer}: sums need ${this.bits} bits in the worst case, and an accumulator has ${this.available}; use fewer bits for weights or inputs, or a quantizer that knows its accumulator (A2Q).`
  }
}

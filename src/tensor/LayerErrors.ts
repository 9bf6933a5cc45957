/**
 * What layers and bricks refuse: options, shapes, inputs.
 *
 * Room: tensor (level 0). Imports: effect's `Data`, `./Place.ts`.
 */
import { Data } from "effect"
import { at } from "./Place.ts"

/** Options of a layer or a brick that cannot be. */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly what: string
  readonly option: string
  readonly reason: string
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.what}: option "${this.option}" ${this.reason}`
  }
}

/** A tensor of one shape stands where another is needed. */
export class ShapeMismatch extends Data.TaggedError("ShapeMismatch")<{
  readonly what: string
  readonly expected: string
  readonly actual: ReadonlyArray<number>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.what}: expected shape ${this.expected}, got [${this.actual.join(", ")}]`
  }
}

/** A quantizer depends on the format of something else, which was not handed to it. */
export class MissingInput extends Data.TaggedError("MissingInput")<{
  readonly quantizer: string
  /** the parts of the format that are missing */
  readonly missing: ReadonlyArray<string>
  /** the path of the layer within its model */
  readonly layer?: string | undefined
}> {
  override get message(): string {
    return `${at(this)}${this.quantizer} needs ${this.missing.join(", ")} from outside; hand it a quant tensor (a layer's input with an input quantizer, or from a layer with returnQuantTensor), or choose a quantizer with a scale of its own.`
  }
}

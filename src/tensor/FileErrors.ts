/**
 * What reading and writing files can fail with.
 *
 * Room: tensor (level 0). Imports: effect's `Data` only.
 */
import { Data } from "effect"

/** A file does not hold what it should. */
export class MalformedFile extends Data.TaggedError("MalformedFile")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.file}: ${this.reason}`
  }
}

/** A stored tensor has values that the wanted element type does not have, or a type that nothing here reads. */
export class UnreadableValues extends Data.TaggedError("UnreadableValues")<{
  readonly what: string
  readonly dtype: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.what} (${this.dtype}) ${this.reason}; convert it to float32 before saving it.`
  }
}

/** A file or directory could not be written; what was there before is still there. */
export class OutputFailed extends Data.TaggedError("OutputFailed")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `cannot write ${this.file}: ${this.reason}`
  }
}

/** A file is not what a model would be exported as: other inputs or outputs. */
export class ForeignModel extends Data.TaggedError("ForeignModel")<{
  readonly file: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.file} was not exported from this model: ${this.reason}; give the model that it is of, or export it again`
  }
}

/** A file was exported from another state than the model has. */
export class OtherState extends Data.TaggedError("OtherState")<{
  readonly file: string
  /** what the state of the model is called */
  readonly state: string
  /** SHA-256 of the state that the file says it is of, and of the model's */
  readonly stated: string
  readonly actual: string
}> {
  override get message(): string {
    const short = (digest: string): string => `${digest.slice(0, 12)}…`
    return (
      `${this.file} was exported from another state than ${this.state}: it is of ${short(this.stated)}, and that is ` +
      `${short(this.actual)}; give the state that it is of (--state FILE), or export it again from this one`
    )
  }
}

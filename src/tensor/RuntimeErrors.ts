/**
 * What starting and asking a runtime can fail with: a backend of TensorFlow.js, a runtime of exported files.
 *
 * Room: tensor (level 0). Imports: effect's `Data` only.
 */
import { Data } from "effect"

/** A backend of TensorFlow.js could not be started. */
export class BackendUnavailable extends Data.TaggedError("BackendUnavailable")<{
  readonly backend: string
  readonly reason: string
}> {
  override get message(): string {
    return `the TensorFlow.js backend "${this.backend}" is not available: ${this.reason}`
  }
}

/** A runtime for exported files could not be loaded. */
export class RuntimeUnavailable extends Data.TaggedError("RuntimeUnavailable")<{
  readonly runtime: string
  /** why, and what helps */
  readonly reason: string
}> {
  override get message(): string {
    return `the runtime ${this.runtime} is not available: ${this.reason}`
  }
}

/** A runtime did not take a file, or failed to run it. */
export class RuntimeFailed extends Data.TaggedError("RuntimeFailed")<{
  readonly runtime: string
  readonly action: "load" | "run"
  readonly reason: string
}> {
  override get message(): string {
    return `${this.runtime} cannot ${this.action} the model: ${this.reason}`
  }
}

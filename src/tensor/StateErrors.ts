/**
 * What loading a state or a checkpoint can fail with.
 *
 * Room: tensor (level 0). Imports: effect's `Data` only.
 */
import { Data } from "effect"

/** A strict load lacks keys; nothing was changed. */
export class MissingKeys extends Data.TaggedError("MissingKeys")<{
  readonly keys: ReadonlyArray<string>
  readonly policy: string
  /** for each key, what the state has that nothing takes and that may be it under another name */
  readonly nearest?: ReadonlyArray<string | undefined>
}> {
  override get message(): string {
    const named = this.keys.map((key, i) => `"${key}"${this.nearest?.[i] ? ` (it has "${this.nearest[i]}")` : ""}`)
    const repair =
      this.policy === "float"
        ? 'Only what quantizers learn may be missing; use policy "report" to load what fits.'
        : 'Use policy "float" to let quantizers initialise themselves.'
    return `the state lacks ${named.join(", ")} (policy "${this.policy}"); nothing was loaded. ${repair}`
  }
}

/** A strict load has keys that nothing takes; nothing was changed. */
export class UnexpectedKeys extends Data.TaggedError("UnexpectedKeys")<{
  readonly keys: ReadonlyArray<string>
  readonly policy: string
  readonly nearest: ReadonlyArray<string | undefined>
}> {
  override get message(): string {
    const named = this.keys.map((key, i) => `"${key}"${this.nearest[i] ? ` (near "${this.nearest[i]}")` : ""}`)
    return `nothing takes ${named.join(", ")} (policy "${this.policy}"); nothing was loaded. Use policy "report" to ignore them.`
  }
}

/** A checkpoint is damaged, or of another model or optimiser; nothing was changed. */
export class InvalidCheckpoint extends Data.TaggedError("InvalidCheckpoint")<{
  /** the part of the checkpoint that does not fit */
  readonly part: string
  readonly reason: string
}> {
  override get message(): string {
    return `the checkpoint's ${this.part} ${this.reason}; nothing was restored.`
  }
}

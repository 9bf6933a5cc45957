/**
 * Failures of operations on quant tensors, thrown within a replay.
 */
import { Result } from "effect"

interface Typed {
  readonly _tag: string
  readonly property?: string
  readonly message: string
}

/** An operation failed as its type says it may. */
export class Failed extends Error {
  readonly error: Typed
  constructor(error: Typed) {
    super(error.message)
    this.error = error
  }
}

export const ok = <A>(result: Result.Result<A, Typed>): A => {
  if (Result.isFailure(result)) throw new Failed(result.failure)
  return result.success
}

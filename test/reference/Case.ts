/**
 * A case of the reference vectors, and what a replay says of it.
 */

export interface Case {
  readonly name: string
  readonly config: any
  readonly inputs?: any
  readonly outputs: any
  readonly grads?: any
  readonly tie_margin?: number
}

export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly reason: string }
  /** breve has no counterpart, or none is replayed yet */
  | { readonly kind: "unsupported"; readonly reason: string }
  /** differs on purpose: the rule of `Deviations.ts` that says why */
  | { readonly kind: "deviation"; readonly id: string }

export type BackendName = "wasm" | "cpu"

/** Runs one case against breve on a backend; what it throws counts as a failure. */
export type Replay = (testCase: Case, backend: BackendName) => Promise<Outcome>

export const passed: Outcome = { kind: "passed" }
export const failed = (reason: string): Outcome => ({ kind: "failed", reason })
export const unsupported = (reason: string): Outcome => ({ kind: "unsupported", reason })
export const deviation = (id: string): Outcome => ({ kind: "deviation", id })

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

/** Runs one case against breve; what it throws counts as a failure. */
export type Replay = (testCase: Case) => Promise<Outcome>

export const passed: Outcome = { kind: "passed" }
export const failed = (reason: string): Outcome => ({ kind: "failed", reason })
export const unsupported = (reason: string): Outcome => ({ kind: "unsupported", reason })
export const deviation = (id: string): Outcome => ({ kind: "deviation", id })

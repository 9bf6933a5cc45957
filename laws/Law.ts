/**
 * The shape of a law: a name, its formula, and a check that throws when a subject breaks it.
 *
 * Room: laws. Imports: fast-check's types.
 */
import type { Parameters } from "fast-check"

/** How to run: fast-check's own options (number of runs, seed, …). */
export type Options = Parameters<unknown>

/** What every `S` should keep. */
export interface Law<in S> {
  readonly name: string
  /** the formula */
  readonly states: string
  /** throws, with the smallest counterexample found, when the subject breaks the law */
  readonly check: (subject: S, options?: Options) => void
}

/** A title and a test for each law: `for (const [title, run] of Law.cases(all, subject)) it(title, run)`. */
export const cases = <S>(
  laws: ReadonlyArray<Law<S>>,
  subject: S,
  options?: Options
): ReadonlyArray<readonly [title: string, run: () => void]> =>
  laws.map((law) => [`${law.name}: ${law.states}`, () => law.check(subject, options)] as const)

/**
 * What a law is, and how one is run: over arbitrary cases, or over all that there are.
 *
 * A law is a value: a name, a formula, the subjects of which it is not claimed and why, and a run that answers whether it was kept or
 * the smallest case found that breaks it. The same seed gives the same cases; the default seed is always the same.
 *
 * Room: laws. Imports: fast-check, effect's `Data`.
 */
import { Data } from "effect"
import * as fc from "fast-check"

// ---- model --------------------------------------------------------------------------------------------------

/** How to run. */
export interface Options {
  /** how many cases each law is tried on; those over all cases are not cut short; 100 if absent */
  readonly runs?: number | undefined
  /** where arbitrary cases begin; 0 if absent */
  readonly seed?: number | undefined
  /** one case of that seed, as a failure names it: only this one is tried */
  readonly path?: string | undefined
  /** what to call the subject in titles and messages; its own `name` if absent */
  readonly subject?: string | undefined
}

/** The law was tried and held. */
export interface Kept {
  readonly kind: "kept"
  /** on how many cases */
  readonly runs: number
}

/** A case in which the law does not hold: the smallest one found. */
export interface Broken {
  readonly kind: "broken"
  /** the case as text: `x = float32[2] 0, 0.5; k = 3` */
  readonly counterexample: string
  /** the case itself; absent: there was none to try */
  readonly found: unknown
  /** what is wrong in that case */
  readonly reason: string
  readonly runs: number
  /** how many times a smaller case was found */
  readonly shrinks: number
  /** with `path`, to run that case again; absent where the cases are not arbitrary */
  readonly seed?: number
  readonly path?: string
}

/** The law says nothing of this subject. */
export interface NotClaimed {
  readonly kind: "not claimed"
  readonly reason: string
}

export type Outcome = Kept | Broken
export type Verdict = Outcome | NotClaimed

/** What a law says, and of what. */
export interface Statement<in S> {
  readonly name: string
  /** the formula */
  readonly states: string
  /** in words, of which subjects it is claimed; absent: of all */
  readonly claimed?: string
  /** why it is not claimed of this subject; absent, or nothing: it is */
  readonly unclaimed?: (subject: S) => string | undefined
  /** how many times as long as usual one case takes: it is run on so many times fewer */
  readonly weight?: number
}

/** What every `S` of which it is claimed should keep. */
export interface Law<in S> extends Statement<S> {
  readonly run: (subject: S, options?: Options) => Promise<Outcome>
  /** where cases are arbitrary and none is awaited: they, and what is asked of each; laws over the same ones can be tried together */
  readonly trial?: Trial<S>
}

/** Arbitrary cases of a subject, and whether one of them holds. */
export interface Trial<in S> {
  /** what the cases are made of: laws for which it is the same thing see the same cases */
  readonly over: Over<S, object>
  readonly cases: (subject: S) => fc.Arbitrary<object>
  readonly parameters: (options: Options) => { readonly numRuns: number; readonly seed: number }
  readonly keeps: (subject: S, parts: object) => boolean
}

/** What one case shows: `true`, the law holds; `false`, or what is wrong in words, it does not. Throwing is breaking. */
export type Holds = boolean | string

/** The parts of a case by name, each from an arbitrary. */
export type Arbitraries<A> = { readonly [K in keyof A]: fc.Arbitrary<A[K]> }

/** The arbitraries of cases: the same for all subjects, or made for each. */
export type Over<S, A> = Arbitraries<A> | ((subject: S) => Arbitraries<A>)

/** A law does not hold of a subject of which it is claimed. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: Pick<Statement<never>, "name" | "states">
  readonly subject: string | undefined
  readonly broken: Broken
}> {
  override get message(): string {
    const of = this.subject === undefined ? "" : ` by ${this.subject}`
    return [`"${this.law.name}" is broken${of}`, ...explained(this.law, this.broken)].join("\n")
  }
}

// ---- text ---------------------------------------------------------------------------------------------------

/** A broken law in lines: what it states, the case, what is wrong in it, and how to see it again. */
export const explained = (
  { states }: Pick<Statement<never>, "states">,
  { counterexample, reason, runs, shrinks, seed, path }: Broken
): ReadonlyArray<string> => {
  const after = `${runs} ${runs === 1 ? "case" : "cases"}${shrinks === 0 ? "" : `, made smaller ${shrinks} times`}`
  return [
    `  states   ${states}`,
    `  but for  ${counterexample}`,
    `           ${reason}`,
    `  found    in ${after}`,
    ...(seed === undefined ? [] : [`  again    { seed: ${seed}, path: "${path}" }`])
  ]
}

const textOf = (value: unknown): string => fc.stringify(value)
const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message || thrown.name : `it throws ${textOf(thrown)}`

/** A case of several named parts: `x = [1, 2]; k = 3`. */
const caseText = (parts: object): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name} = ${textOf(value)}`)
    .join("; ")

// ---- constructors -------------------------------------------------------------------------------------------

const refuted = "it does not hold"
const checked = (holds: Holds): void => {
  if (holds !== true) throw new Error(holds === false ? refuted : holds)
}

interface Parameters {
  readonly numRuns: number
  readonly seed: number
  readonly path?: string
}
const parametersOf = ({ runs = 100, seed = 0, path }: Options, weight = 1): Parameters => ({
  numRuns: Math.max(1, Math.ceil(runs / weight)),
  seed,
  ...(path !== undefined && { path })
})

const outcomeOf = <A extends object>(details: fc.RunDetails<[A]>): Outcome => {
  const { numRuns, numShrinks, seed, counterexample, counterexamplePath, errorInstance } = details
  if (!details.failed) return { kind: "kept", runs: numRuns }
  if (counterexample === null)
    return {
      ...noCase,
      reason: `only ${numRuns} of ${numRuns + details.numSkips} cases were fit to be tried`,
      runs: numRuns
    }
  const [found] = counterexample
  return {
    kind: "broken",
    counterexample: caseText(found),
    found,
    reason: reasonOf(errorInstance),
    runs: numRuns,
    shrinks: numShrinks,
    seed,
    path: counterexamplePath ?? ""
  }
}

const noCase = { kind: "broken", counterexample: "no case at all", found: undefined, runs: 0, shrinks: 0 } as const

const over = <S, A extends object>(arbitraries: Over<S, A>, subject: S): fc.Arbitrary<A> => {
  const parts = typeof arbitraries === "function" ? arbitraries(subject) : arbitraries
  return fc.record(parts, { noNullPrototype: true }) as unknown as fc.Arbitrary<A>
}

/** A law about arbitrary cases, whose parts have names: `forAll({ name, states }, { x: Arbitrary.tensor() }, (q, { x }) => …)`. */
export const forAll = <S, A extends object>(
  is: Statement<S>,
  arbitraries: Over<S, A>,
  holds: (subject: S, parts: A) => Holds
): Law<S> => ({
  ...is,
  run: async (subject, options = {}) => {
    const property = fc.property(over(arbitraries, subject), (parts) => checked(holds(subject, parts)))
    return outcomeOf(fc.check(property, parametersOf(options, is.weight)))
  },
  trial: {
    over: arbitraries as Over<S, object>,
    cases: (subject) => over(arbitraries, subject),
    parameters: (options) => parametersOf(options, is.weight),
    keeps: (subject, parts) => {
      try {
        return holds(subject, parts as A) === true
      } catch {
        return false
      }
    }
  }
})

/** The same of what takes its time: a promise of whether it holds. */
export const forAllAsync = <S, A extends object>(
  is: Statement<S>,
  arbitraries: Over<S, A>,
  holds: (subject: S, parts: A) => Promise<Holds>
): Law<S> => ({
  ...is,
  run: async (subject, options = {}) => {
    const property = fc.asyncProperty(over(arbitraries, subject), async (parts) => checked(await holds(subject, parts)))
    return outcomeOf(await fc.check(property, parametersOf(options, is.weight)))
  }
})

/** A law about every case that there is, smallest first: a proof. Cases are records, whose parts are shown by name. */
export const everywhere = <S, A extends object>(
  is: Statement<S>,
  cases: (subject: S) => Iterable<A>,
  holds: (subject: S, parts: A) => Holds | Promise<Holds>
): Law<S> => ({
  ...is,
  run: async (subject) => {
    const seen = { runs: 0 }
    for (const parts of cases(subject)) {
      seen.runs++
      try {
        const answer = holds(subject, parts)
        checked(typeof answer === "object" ? await answer : answer)
      } catch (thrown) {
        return { ...noCase, counterexample: caseText(parts), found: parts, reason: reasonOf(thrown), runs: seen.runs }
      }
    }
    return seen.runs === 0 ? { ...noCase, reason: "there is nothing to try it on" } : { kind: "kept", runs: seen.runs }
  }
})

/** The same law about what a subject contains or makes: `on(law, ({ quantizer }) => quantizer)`. */
export const on = <S, T>(law: Law<S>, part: (subject: T) => S): Law<T> => {
  const { unclaimed, run, trial: _, ...is } = law
  return {
    ...is,
    ...(unclaimed !== undefined && { unclaimed: (subject: T) => unclaimed(part(subject)) }),
    run: (subject, options) => run(part(subject), options)
  }
}

// ---- operations ---------------------------------------------------------------------------------------------

/** Whether a law is claimed of a subject, and if so, whether it is kept. */
export const verdict = async <S>(law: Law<S>, subject: S, options?: Options): Promise<Verdict> => {
  const reason = law.unclaimed?.(subject)
  return reason === undefined ? law.run(subject, options) : { kind: "not claimed", reason }
}

/** Throws `LawBroken`, with the smallest case found, when a law that is claimed of the subject does not hold. */
export const check = async <S>(law: Law<S>, subject: S, options?: Options): Promise<void> => {
  const found = await verdict(law, subject, options)
  if (found.kind === "broken") throw new LawBroken({ law, subject: nameOf(subject, options), broken: found })
}

const nameOf = (subject: unknown, options?: Options): string | undefined => {
  const own = typeof subject === "object" && subject !== null && "name" in subject ? subject.name : undefined
  return options?.subject ?? (typeof own === "string" ? own : undefined)
}

/**
 * A title and a test for each law, for any test runner: `for (const [title, run] of Law.cases(all, subject)) it(title, run)`. A law
 * that is not claimed of the subject says so in its title, and passes.
 */
export const cases = <S>(
  laws: ReadonlyArray<Law<S>>,
  subject: S,
  options?: Options
): ReadonlyArray<readonly [title: string, run: () => Promise<void>]> =>
  laws.map((law) => {
    const reason = law.unclaimed?.(subject)
    const title = reason === undefined ? `${law.name}: ${law.states}` : `${law.name}: not claimed (${reason})`
    return [title, () => check(law, subject, options)] as const
  })

/**
 * Laws of tensor quantizers: a law of quantizers that are ready becomes one of subjects, which are resolved when it runs.
 *
 * Room: laws. Imports: effect, fast-check's types, its own room.
 */
import { Effect } from "effect"
import type * as fc from "fast-check"
import * as Arbitrary from "./Arbitrary.ts"
import * as Claims from "./Claims.ts"
import * as Law from "./Law.ts"
import * as Sample from "./Sample.ts"
import * as Subject from "./Subject.ts"
import * as Verdicts from "./Verdicts.ts"

/** A statement whose claim is a list of conditions on what is promised. */
export interface Statement {
  readonly name: string
  readonly states: string
  /** the conditions in words */
  readonly claimed: string
  readonly conditions: ReadonlyArray<Claims.Condition>
  readonly weight?: number
}

/** A law of tensor quantizers. */
export interface Any extends Law.Law<Subject.Subject> {
  /** the same of a quantizer that is ready */
  readonly ofReady: Law.Law<Subject.Ready>
}

const nothing: Law.Kept = { kind: "kept", runs: 0 }

/** A law about arbitrary cases, of a subject that is resolved for the run. */
export const forAll = <A extends object>(
  { conditions, ...is }: Statement,
  over: (ready: Subject.Ready) => Law.Arbitraries<A>,
  holds: (ready: Subject.Ready, parts: A) => Law.Holds
): Any => {
  const inner = Law.forAll<Subject.Ready, A>(is, over, holds)
  return {
    ...is,
    unclaimed: Claims.unless(is.name, conditions),
    ofReady: inner,
    run: ({ ready, backend }, options) =>
      Effect.flatMap(ready, (found) =>
        found === undefined ? Effect.succeed(nothing) : Effect.promise(() => inner.run(found, options))
      ).pipe(Effect.scoped, Effect.provide(backend), Effect.runPromise)
  }
}

/** What each of many laws says of a subject, in their order: it is resolved once. */
export const verdicts = (
  laws: ReadonlyArray<Any>,
  subject: Subject.Subject,
  options?: Law.Options
): Effect.Effect<ReadonlyArray<Law.Verdict>, Subject.Failure> =>
  Effect.gen(function* () {
    const ready = yield* subject.ready
    const claimed = laws.filter((law) => law.unclaimed?.(subject) === undefined)
    const found =
      ready === undefined
        ? claimed.map(() => nothing)
        : yield* Effect.promise(() =>
            Verdicts.of(
              claimed.map(({ ofReady }) => ofReady),
              ready,
              options
            )
          )
    return laws.map((law): Law.Verdict => {
      const reason = law.unclaimed?.(subject)
      return reason === undefined ? (found[claimed.indexOf(law)] as Law.Verdict) : { kind: "not claimed", reason }
    })
  }).pipe(Effect.scoped, Effect.provide(subject.backend))

// ---- cases --------------------------------------------------------------------------------------------------

const fitting = ({ promised }: Subject.Ready, samples: fc.Arbitrary<Sample.Sample>): fc.Arbitrary<Sample.Sample> => {
  const { slot } = promised.facts
  return slot === "truncation" ? samples.map((one) => Sample.map(one, (x) => Subject.fitted(slot, x))) : samples
}

/** Tensors of the shape that the quantizer is for, with ties on its own grid, far beyond its range, and so on. */
export const inputs = (
  ready: Subject.Ready,
  spreads: ReadonlyArray<Arbitrary.Spread> = Arbitrary.ordinary
): fc.Arbitrary<Sample.Sample> => fitting(ready, Arbitrary.tensor({ shape: ready.shape, step: ready.step, spreads }))

/** The ordinary cases of laws about one tensor: laws over the very same ones see them together. */
export const ordinary = (ready: Subject.Ready) => ({ x: inputs(ready) })

/** Anything that can be in a tensor. */
export const anything = (ready: Subject.Ready) => ({ x: inputs(ready, Arbitrary.everySpread) })

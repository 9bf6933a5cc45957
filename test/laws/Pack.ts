/**
 * A pack of laws beside subjects that keep them, and for each law a subject that breaks it.
 *
 * `Suite.ts` makes tests of one; `npm run laws` runs the good subjects of all packs (`Packs.ts`).
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, ManagedRuntime, type Scope } from "effect"
import * as Law from "../../laws/Law.ts"
import * as Verdicts from "../../laws/Verdicts.ts"
import * as Backend from "../../src/backend/Backend.ts"

/** A subject, and whatever it takes to make it; it is released when its laws have run. */
export type Made<S> = Effect.Effect<S, unknown, Scope.Scope | Backend.Backend>

export interface Pack<S> {
  readonly name: string
  readonly laws: ReadonlyArray<Law.Law<S>>
  /** names, subjects, and how much longer than usual their cases take */
  readonly good: ReadonlyArray<readonly [name: string, subject: Made<S>, weight?: number | undefined]>
  /** which law notices what, in which subject */
  readonly broken: ReadonlyArray<readonly [law: Law.Law<S>, how: string, subject: Made<S>]>
  /** what many laws say of a subject at once; `Verdicts.of` if absent */
  readonly verdicts?: (
    laws: ReadonlyArray<Law.Law<S>>,
    subject: S,
    options: Law.Options
  ) => Promise<ReadonlyArray<Law.Verdict>>
  /** how many cases the tests try; the broken subjects have at least 300 */
  readonly runs: number
}

/** The backend starts once for all, and is selected again after a subject that selects another one. */
const runtime = ManagedRuntime.make(Backend.layer)
const selected = Effect.flatMap(Backend.Backend, ({ name }) =>
  tf.getBackend() === name ? Effect.void : Effect.promise(() => tf.setBackend(name))
)
const run = <A>(program: Effect.Effect<A, unknown, Scope.Scope | Backend.Backend>): Promise<A> =>
  runtime.runPromise(Effect.andThen(selected, Effect.scoped(program)))

/** What a law says of a subject that is made for it. */
export const verdict = <S>(law: Law.Law<S>, subject: Made<S>, options: Law.Options): Promise<Law.Verdict> =>
  run(Effect.flatMap(subject, (made) => Effect.promise(() => Law.verdict(law, made, options))))

/** What all laws of a pack say of one of its good subjects, in their order. */
export const verdicts = <S>(
  { laws, verdicts = Verdicts.of }: Pack<S>,
  [, made, weight]: Pack<S>["good"][number],
  options: Law.Options & { readonly runs: number }
): Promise<ReadonlyArray<Law.Verdict>> =>
  run(
    Effect.flatMap(made, (subject) =>
      Effect.promise(() => verdicts(laws, subject, { ...options, runs: weighted(options.runs, weight) }))
    )
  )

/** How many runs there are of cases that take so much longer. */
export const weighted = (runs: number, weight = 1): number => Math.ceil(runs / weight)

/** A row of the long run. */
export interface Row {
  readonly law: Law.Statement<never>
  readonly subject: string
  readonly verdict: Law.Verdict
}

/** One subject, and all laws of its pack. */
export interface Part {
  readonly subject: string
  readonly rows: (options: Law.Options & { readonly runs: number }) => Promise<ReadonlyArray<Row>>
}

/** A pack whose subjects are known to itself only. */
export interface Any {
  readonly name: string
  readonly parts: ReadonlyArray<Part>
}

/** A pack in parts, one for each good subject. */
export const any = <S>(pack: Pack<S>): Any => ({
  name: pack.name,
  parts: pack.good.map((good) => ({
    subject: good[0],
    rows: async (options) => {
      const found = await verdicts(pack, good, options)
      return pack.laws.map((law, i) => ({ law, subject: good[0], verdict: found[i] as Law.Verdict }))
    }
  }))
})

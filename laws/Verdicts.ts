/**
 * Many laws of one subject in one go: those over the same cases see each case together, so that it is made, and looked at, once.
 *
 * A law that does not keep one of them is run alone, for its smallest case: a verdict is what it would be of each law by itself.
 *
 * Room: laws. Imports: fast-check, its own room.
 */
import * as fc from "fast-check"
import * as Law from "./Law.ts"

type Tried<S> = Law.Law<S> & { readonly trial: Law.Trial<S> }

const isTried = <S>(law: Law.Law<S>): law is Tried<S> => law.trial !== undefined

/** Laws that are claimed of the subject, by what their cases are made of. */
const groupsOf = <S>(laws: ReadonlyArray<Law.Law<S>>, subject: S): ReadonlyArray<ReadonlyArray<Tried<S>>> => {
  const groups = new Map<unknown, Array<Tried<S>>>()
  for (const law of laws)
    if (isTried(law) && law.unclaimed?.(subject) === undefined) {
      const group = groups.get(law.trial.over) ?? []
      group.push(law)
      groups.set(law.trial.over, group)
    }
  return [...groups.values()]
}

/** Of laws over the same cases, those that are kept in all of them. */
const keptOf = <S>(group: ReadonlyArray<Tried<S>>, subject: S, options: Law.Options): ReadonlyArray<Tried<S>> => {
  const [first] = group
  if (first === undefined) return []
  const parameters = group.map(({ trial }) => trial.parameters(options))
  const refuted = new Set<Tried<S>>()
  const seen = { cases: 0 }
  const property = fc.property(first.trial.cases(subject), (parts) => {
    const at = seen.cases++
    for (const [i, law] of group.entries())
      if (at < (parameters[i]?.numRuns ?? 0) && !refuted.has(law) && !law.trial.keeps(subject, parts)) refuted.add(law)
  })
  const numRuns = Math.max(...parameters.map(({ numRuns }) => numRuns))
  fc.check(property, { ...first.trial.parameters(options), numRuns })
  return group.filter((law) => !refuted.has(law))
}

/** What each law says of the subject, in their order. */
export const of = async <S>(
  laws: ReadonlyArray<Law.Law<S>>,
  subject: S,
  options: Law.Options = {}
): Promise<ReadonlyArray<Law.Verdict>> => {
  const groups = options.path === undefined ? groupsOf(laws, subject).filter(({ length }) => length > 1) : []
  const kept = new Set<Law.Law<S>>(groups.flatMap((group) => keptOf(group, subject, options)))
  const found: Array<Law.Verdict> = []
  for (const law of laws)
    found.push(
      kept.has(law) && law.trial !== undefined
        ? { kind: "kept", runs: law.trial.parameters(options).numRuns }
        : await Law.verdict(law, subject, options)
    )
  return found
}

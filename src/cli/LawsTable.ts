/**
 * What `breve laws` prints: a line for each law, and for a broken one the case and the command that shows it again.
 *
 * Room: cli (level 6). Imports: `quant`, its own room; types of laws.
 */
import type * as LawsModule from "../../laws/index.ts"
import type * as Catalogue from "../quant/Catalogue.ts"
import * as Words from "./Words.ts"

type Law = typeof LawsModule.Law
type Verdict = LawsModule.Law.Verdict

/** A quantizer, and how its user calls it: its name, and the words of the command line that lead to it. */
export interface Named {
  readonly name: string
  readonly words: string
}
/** What one law says. */
export interface Row {
  readonly law: LawsModule.Law.Statement<never>
  readonly verdict: Verdict
}

/** How many verdicts there are of a kind. */
export const counted = (rows: ReadonlyArray<Row>, kind: Verdict["kind"]): number =>
  rows.filter(({ verdict }) => verdict.kind === kind).length

/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w./#:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** The case that breaks a law in lines, and the command that shows it again. */
const brokenLines = (
  { explained }: Law,
  { words }: Named,
  law: Row["law"],
  { seed, path, ...broken }: LawsModule.Law.Broken
): ReadonlyArray<string> => [
  ...explained(law, broken),
  ...(seed === undefined || path === undefined
    ? []
    : [`  again    breve laws ${words} --law ${quoted(law.name)} --seed ${seed} --path ${path}`])
]

/** The table: a line for each law, and for a broken one the smallest case found. */
export const table = (
  law: Law,
  named: Named,
  facts: Catalogue.Facts,
  rows: ReadonlyArray<Row>,
  { runs, seed }: Required<Pick<LawsModule.Law.Options, "runs" | "seed">>
): string => {
  const width = Math.max(...rows.map(({ law }) => law.name.length))
  const head = (kind: string, law: string, text: string): string =>
    `  ${kind.padEnd(11)}  ${law.padEnd(width)}  ${text}`.trimEnd()
  const lines = rows.flatMap(({ law: is, verdict }) => {
    if (verdict.kind === "kept") return [head("kept", is.name, is.states)]
    if (verdict.kind === "not claimed") return [head("not claimed", is.name, verdict.reason)]
    return [head("BROKEN", is.name, ""), ...brokenLines(law, named, is, verdict).map((line) => `    ${line}`)]
  })
  const [kept, unclaimed, broken] = (["kept", "not claimed", "broken"] as const).map((kind) => counted(rows, kind))
  return [
    `${named.name}: ${Words.line(facts)}`,
    "",
    ...lines,
    "",
    `${kept} kept, ${unclaimed} not claimed, ${broken} broken; ${runs} ${runs === 1 ? "run" : "runs"} of each law, seed ${seed}`
  ].join("\n")
}

/** One verdict for machines to read. */
export const machineReadable = ({ law: { name, states, claimed }, verdict }: Row): unknown => {
  if (verdict.kind !== "broken") return { law: name, states, claimed, ...verdict }
  const { found: _, ...rest } = verdict
  return { law: name, states, claimed, ...rest }
}

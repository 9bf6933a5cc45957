/**
 * The kill table, as a line for each mutant and as docs/mutants.md.
 */
import type { Judgement } from "./Judge.ts"
import type { Mutant } from "./Mutant.ts"

/** A mutant and what became of it. */
export interface Tried {
  readonly mutant: Mutant
  readonly judgement: Judgement | { readonly failed: string }
}

const shortened = (text: string, length: number): string => {
  const flat = text.replaceAll(/\s+/g, " ").trim()
  return flat.length <= length ? flat : `${flat.slice(0, length - 1)}…`
}

/** A line of the table. */
export const line = ({ mutant, judgement }: Tried): string => {
  const head = `${mutant.name} (${mutant.file})`
  if ("failed" in judgement) return `ERROR     ${head}\n          ${shortened(judgement.failed, 300)}`
  if ("kept" in judgement)
    return `SURVIVES  ${head}\n          ${judgement.kept} laws of ${mutant.packs.join(", ")} are kept`
  const { law, subject, counterexample, reason } = judgement.broken
  return `killed    ${head}\n          by "${law}" (${subject}): ${shortened(counterexample, 90)}: ${shortened(reason, 90)}`
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const row = ({ mutant, judgement }: Tried): ReadonlyArray<string> => {
  const where = `\`${mutant.file.replace("src/", "")}\``
  if (!("broken" in judgement)) return [cell(mutant.name), where, "**survives**", ""]
  const { law, pack, reason } = judgement.broken
  return [cell(mutant.name), where, `${pack}: ${cell(law)}`, cell(shortened(reason, 80))]
}

const head = ["mutant", "in `src/`", "killed by", "what is seen"]

/** Rows of cells as the formatter writes them: columns as wide as their widest cell. */
const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((cells) => (cells[i] as string).length)))
  const padded = (cells: ReadonlyArray<string>, fill: string): string =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] as number, fill)).join(" | ")} |`
  const rule = padded(
    head.map(() => ""),
    "-"
  )
  return [padded(head, " "), rule, ...rows.map((cells) => padded(cells, " "))].join("\n")
}

/** docs/mutants.md. */
export const document = (all: ReadonlyArray<Tried>): string => {
  const killed = all.filter(({ judgement }) => "broken" in judgement).length
  return `# Mutants

Do the laws bite? \`npm run mutants\` plants one fault at a time into breve's own sources, runs nothing but laws, and tells which law
is broken, and by what. A mutant that no law notices fails the command; so does one whose text no longer stands in the sources. This
table is written by \`npm run mutants -- --write\`.

${table(all.map(row))}

Killed ${killed} of ${all.length}.
`
}

/**
 * What is bundled with a mutant in its place: `node judge.mjs RUNS PACK ...` runs packs of laws and prints, as one line of JSON, the
 * first law that is broken, or how many were kept.
 */
import type { Row } from "../laws/Pack.ts"
import { packs } from "../laws/Packs.ts"

/** A law that is broken, of what, and in which case. */
export interface Broken {
  readonly law: string
  readonly pack: string
  readonly subject: string
  readonly counterexample: string
  readonly reason: string
}
export type Judgement = { readonly broken: Broken } | { readonly kept: number }

const brokenIn = (pack: string, rows: ReadonlyArray<Row>): Broken | undefined => {
  const row = rows.find(({ verdict }) => verdict.kind === "broken")
  if (row?.verdict.kind !== "broken") return undefined
  const { counterexample, reason } = row.verdict
  return { law: row.law.name, pack, subject: row.subject, counterexample, reason }
}

const judged = async (runs: number, names: ReadonlyArray<string>): Promise<Judgement> => {
  const count = { kept: 0 }
  for (const name of names) {
    const pack = packs.find((one) => one.name === name)
    if (pack === undefined) throw new Error(`there is no pack ${name}`)
    for (const part of pack.parts) {
      const rows = await part.rows({ runs, seed: 0 })
      const broken = brokenIn(name, rows)
      if (broken !== undefined) return { broken }
      count.kept += rows.filter(({ verdict }) => verdict.kind === "kept").length
    }
  }
  return count
}

const [, , runs, ...names] = process.argv
judged(Number(runs), names).then(
  (judgement) => {
    process.stdout.write(`\n${JSON.stringify(judgement)}\n`)
    process.exit(0)
  },
  (cause) => {
    process.stderr.write(`${cause instanceof Error ? cause.stack : cause}\n`)
    process.exit(1)
  }
)

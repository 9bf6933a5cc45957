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

class Found extends Error {
  constructor(readonly broken: Broken) {
    super(broken.law)
  }
}

const judged = async (runs: number, names: ReadonlyArray<string>): Promise<Judgement> => {
  const count = { kept: 0 }
  for (const name of names) {
    const pack = packs.find((one) => one.name === name)
    if (pack === undefined) throw new Error(`there is no pack ${name}`)
    const seen = ({ law, subject, verdict }: Row): void => {
      if (verdict.kind === "kept") count.kept++
      if (verdict.kind !== "broken") return
      const { counterexample, reason } = verdict
      throw new Found({ law: law.name, pack: name, subject, counterexample, reason })
    }
    const found = await pack.rows({ runs, seed: 0 }, seen).then(
      () => undefined,
      (cause) => {
        if (cause instanceof Found) return cause.broken
        throw cause
      }
    )
    if (found !== undefined) return { broken: found }
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

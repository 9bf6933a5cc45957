/**
 * `npm run laws -- [--runs N] [--seed N] [--pack NAME] [--write]`: the long run of every law, of every pack and of the whole catalogue.
 *
 * `--write` writes docs/laws.md from what the catalogue kept. Broken laws are printed with their counter-examples, and the exit code is 1.
 */
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { Effect, ManagedRuntime } from "effect"
import * as Law from "../../laws/Law.ts"
import * as Backend from "../../src/backend/Backend.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { file, laws, page, type Verdicts, verdicts } from "./LawsDocument.ts"
import { packs } from "./Packs.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100" },
    seed: { type: "string", default: "0" },
    pack: { type: "string" },
    write: { type: "boolean", default: false }
  }
})
const whole = (name: "runs" | "seed", least: number): number => {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least) return number
  console.error(`--${name} is "${values[name]}": it must be a whole number of at least ${least}`)
  process.exit(2)
}
const options = { runs: whole("runs", 1), seed: whole("seed", -(2 ** 31)) }
const wanted = (name: string): boolean => values.pack === undefined || values.pack === name
const catalogue = "Catalogue"
const known = [...packs.map(({ name }) => name), catalogue]
if (values.pack !== undefined && !known.includes(values.pack)) {
  console.error(`there is no pack "${values.pack}"; the packs are ${known.join(", ")}`)
  process.exit(2)
}

const counts = { kept: 0, runs: 0, unclaimed: 0, broken: 0 }
const count = (law: Law.Statement<never>, subject: string, verdict: Law.Verdict): void => {
  if (verdict.kind === "kept") {
    counts.kept++
    counts.runs += verdict.runs
  } else if (verdict.kind === "not claimed") counts.unclaimed++
  else {
    counts.broken++
    console.log(new Law.LawBroken({ law, subject, broken: verdict }).message)
  }
}

const started = performance.now()
const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`
console.log(`${options.runs} runs of each law, seed ${options.seed}`)
for (const pack of packs)
  if (wanted(pack.name)) {
    await pack.rows(options, ({ law, subject, verdict }) => count(law, subject, verdict))
    console.log(`${pack.name}: ${counts.kept} kept so far, ${seconds()}`)
  }
if (wanted(catalogue)) {
  const runtime = ManagedRuntime.make(Backend.layer)
  const found: Record<string, Verdicts> = {}
  for (const name of Object.keys(Catalogue.entries)) {
    found[name] = await runtime.runPromise(Effect.orDie(verdicts(name, options)))
    for (const [i, verdict] of found[name].entries()) count(laws[i] as Law.Statement<never>, name, verdict)
  }
  console.log(`${catalogue}: ${counts.kept} kept so far, ${seconds()}`)
  if (values.write) await writeFile(file, page(found))
}
console.log(
  `laws: ${counts.kept} kept in ${counts.runs} cases, ${counts.unclaimed} not claimed, ${counts.broken} broken, ${seconds()}`
)
process.exit(counts.broken === 0 ? 0 : 1)

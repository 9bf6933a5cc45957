/**
 * `npm run laws -- [--runs N] [--seed N] [--only PATTERN] [--shard I/N] [--from N] [--write]`: the long run of every law, of every pack
 * and of the whole catalogue.
 *
 * The run is a list of parts, one subject with all laws of its pack each. `--only` takes those whose name matches, `--shard` every N-th,
 * `--from` begins at the part with a number, where a run was cut off. Broken laws are printed with their counter-examples, and once more
 * at the end; the exit code is 1 then. `--write` writes docs/laws.md from what the catalogue kept.
 */
import { writeFile } from "node:fs/promises"
import { ManagedRuntime } from "effect"
import * as Law from "../../laws/Law.ts"
import * as Backend from "../../src/backend/Backend.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { catalogued, file, page, type Verdicts } from "./LawsDocument.ts"
import type { Row } from "./Pack.ts"
import { packs } from "./Packs.ts"
import { chosen, type Plan, parsed } from "./Plan.ts"

const fail = (reason: string): never => {
  console.error(reason)
  process.exit(2)
}
const runtime = ManagedRuntime.make(Backend.layer)
const all = [...packs, catalogued(runtime)].flatMap(({ name, parts }) =>
  parts.map((part) => ({ ...part, name: `${name}: ${part.subject}` }))
)
const read = parsed(process.argv.slice(2))
const plan: Plan = typeof read === "string" ? fail(read) : read
const picked = chosen(plan, all)
const parts = typeof picked === "string" ? fail(picked) : picked
const catalogue = Object.keys(Catalogue.entries)
if (plan.write && catalogue.some((name) => !parts.some(({ part }) => part.name === `Catalogue: ${name}`)))
  fail("--write writes of the whole catalogue: leave out --shard and --from, or take --only ^Catalogue")

const counts = { kept: 0, runs: 0, unclaimed: 0 }
const broken: Array<string> = []
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`
const counted = (name: string, rows: ReadonlyArray<Row>): number => {
  for (const { law, verdict } of rows) {
    if (verdict.kind === "kept") {
      counts.kept++
      counts.runs += verdict.runs
    } else if (verdict.kind === "not claimed") counts.unclaimed++
    else {
      broken.push(`${name}: ${law.name}`)
      console.log(new Law.LawBroken({ law, subject: name, broken: verdict }).message)
    }
  }
  return rows.filter(({ verdict }) => verdict.kind === "kept").length
}

const started = performance.now()
const found: Record<string, Verdicts> = {}
console.log(`${plan.runs} runs of each law, seed ${plan.seed}; ${parts.length} of ${all.length} parts`)
for (const { number, part } of parts) {
  const since = performance.now()
  const rows = await part.rows({ runs: plan.runs, seed: plan.seed })
  const kept = counted(part.name, rows)
  found[part.subject] = rows.map(({ verdict }) => verdict)
  console.log(`${String(number).padStart(3)}/${all.length}  ${part.name}  ${kept} kept, ${seconds(since)}`)
}
if (plan.write) await writeFile(file, page(found))
for (const one of broken) console.log(`broken  ${one}`)
console.log(
  `laws: ${counts.kept} kept in ${counts.runs} cases, ${counts.unclaimed} not claimed, ${broken.length} broken, ${seconds(started)}`
)
process.exit(broken.length === 0 ? 0 : 1)

/**
 * `npm run mutants`: plants every mutant, one at a time, and tells which law kills it. Ends with `killed K of N`, and fails where one
 * survives, does not apply any more, or a law is broken without a mutant.
 *
 * `-- --only TEXT` tries those whose names hold a text, `-- --write` writes the table into docs/mutants.md.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { document, line, type Tried } from "./Document.ts"
import type { Mutant } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"
import { trial } from "./Trial.ts"

const { values: given } = parseArgs({
  options: { only: { type: "string" }, write: { type: "boolean" }, runs: { type: "string", default: "150" } }
})
const runs = Number(given.runs)
const chosen = mutants.filter(({ name }) => given.only === undefined || name.includes(given.only))
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** A trial, or why there was none. */
const judged = (
  name: string,
  mutant: Mutant | undefined,
  packs: ReadonlyArray<string>
): Effect.Effect<Tried["judgement"]> =>
  Effect.promise(() => trial(name, mutant, packs, runs).catch((cause) => ({ failed: messageOf(cause) })))

const tried = (mutant: Mutant): Effect.Effect<Tried> =>
  Effect.map(judged(`mutant-${mutants.indexOf(mutant)}`, mutant, mutant.packs), (judgement) => {
    const one: Tried = { mutant, judgement }
    print(line(one))
    return one
  })

const program = Effect.gen(function* () {
  const packs = [...new Set(chosen.flatMap((mutant) => mutant.packs))].sort()
  const controls = yield* Effect.forEach(packs, (pack) => judged(`control-${packs.indexOf(pack)}`, undefined, [pack]), {
    concurrency: 2
  })
  const broken = controls.filter((control) => !("kept" in control))
  for (const control of broken) print(`without a mutant: ${JSON.stringify(control)}`)
  if (broken.length > 0) return 1
  const kept = controls.reduce((sum, control) => sum + ("kept" in control ? control.kept : 0), 0)
  print(`without a mutant ${kept} laws are kept, of ${packs.length} packs`)
  const all = yield* Effect.forEach(chosen, tried, { concurrency: 2 })
  const killed = all.filter(({ judgement }) => "broken" in judgement).length
  if (given.write === true) {
    const target = fileURLToPath(new URL("../../docs/mutants.md", import.meta.url))
    const text = document(all)
    if (readFileSync(target, { encoding: "utf8", flag: "a+" }) !== text) writeFileSync(target, text)
  }
  print(`killed ${killed} of ${all.length}`)
  return killed === all.length ? 0 : 1
})

Effect.runPromise(program).then((code) => process.exit(code))

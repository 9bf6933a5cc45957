/** PtqTable.ts: every method is a recipe, a network with planted channels is the same one in floats, and the tables say what was measured. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Digits from "../../src/cli/Digits.ts"
import * as Folder from "../../src/cli/Folder.ts"
import * as Recipe from "../../src/ptq/Recipe.ts"
import * as PtqTable from "./PtqTable.ts"

it.each(PtqTable.methods.map((one) => [one.name, one] as const))("%s is a recipe at any width", (name, method) =>
  Effect.runPromise(
    Effect.forEach(
      [8, 3],
      (bits) => Recipe.fromJson({ name, quantizers: method.quantizers(bits), steps: method.steps }),
      { discard: true }
    )
  )
)

it("writes a row for each method, a column for each width, and the mean over seeds; both networks are the same in floats", async () => {
  const { train, test } = Folder.split(Digits.make(1, 300))
  const told: Array<string> = []
  const plan: PtqTable.Plan = {
    ...{ train, test, epochs: 1, seeds: [1, 2], bits: [8, 2], samples: 64 },
    methods: PtqTable.methods.filter(({ name }) => name === "nearest, per tensor" || name === "GPTQ"),
    said: () => Effect.void
  }
  const document = PtqTable.document(plan, (tables) => Effect.sync(() => void told.push(tables)))
  await Effect.runPromise(Effect.andThen(Backend.Backend, document).pipe(Effect.provide(Backend.layer)))
  const [first = "", last = ""] = told
  expect(told.length).toBe(2)
  expect(first).toContain("one seed")
  const floats = [...last.matchAll(/In floats: (.*) %, 2 seeds\./g)].map(([, text]) => text)
  expect(floats.length).toBe(2)
  expect(floats[0]).toBe(floats[1])
  const rows = last.split("\n").filter((line) => line.startsWith("| "))
  expect(rows.map((row) => row.split(" | ")[0])).toEqual(
    [1, 2].flatMap(() => ["| method", "| ---", "| nearest, per tensor", "| GPTQ"])
  )
  for (const row of rows.filter((one) => one.includes("GPTQ") || one.includes("nearest")))
    expect(row).toMatch(/^\| [^|]+( \| \d+\.\d\d ± \d+\.\d\d \| -?\d+\.\d ± \d+\.\d){2} \|$/)
  // channels far from each other are lost to one scale for all of them
  const ratios = rows
    .filter((row) => row.includes("nearest"))
    .map((row) => Number.parseFloat(row.split(" | ")[2] ?? ""))
  expect(ratios[1]).toBeLessThan((ratios[0] ?? 0) - 10)
  const text = "a\n<!-- tables: npm run ptq-table -->\nold\n<!-- end of tables -->\nz"
  expect(PtqTable.within(text, last)).toBe(
    `a\n<!-- tables: npm run ptq-table -->\n\n${last}\n\n<!-- end of tables -->\nz`
  )
}, 60_000)

/**
 * The table of names from Brevitas: the options, rules, parts and families that it names are there.
 */
import { readFile } from "node:fs/promises"
import * as Breve from "breve"
import { expect, it } from "vitest"
import { names as quantizers } from "../quant/Names.ts"

const text = await readFile(new URL("../../docs/brevitas.md", import.meta.url), "utf8")
const names = text.split("## Deliberate differences")[0] as string
const ours = names
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => (line.split(/ \| /)[1] ?? "").trim())
const { Rules, Parts } = Breve

/** The attributes of all rules, as text: `choose(option) { case: …, case: … }`. */
const decided = JSON.stringify([Rules.Weight, Rules.Activation, Rules.Bias, Rules.Truncation])
const casesOf = (option: string): ReadonlyArray<string> =>
  [...decided.matchAll(new RegExp(`choose\\(${option}\\) \\{ ([^"]*)`, "g"))].flatMap(([, cases]) =>
    [...(cases as string).matchAll(/(\w+): /g)].map(([, name]) => name as string)
  )

it("names the cases of each option", () => {
  const options = ours.flatMap((cell) => {
    const [, option, rest] = cell.match(/^`(\w+): (".*)/) ?? []
    const cases = [...(rest ?? "").matchAll(/"(\w+)"/g)].map(([, name]) => name as string)
    return option === undefined ? [] : [[option, cases] as const]
  })
  expect(options.length).toBeGreaterThan(8)
  for (const [option, cases] of options)
    for (const each of cases) expect(casesOf(option), `${option}: ${each}`).toContain(each)
})

it("names rules and parts that are there", () => {
  const named = [...names.matchAll(/`(Rules|Parts)\.(\w+)`/g)]
  expect(named.length).toBeGreaterThan(5)
  for (const [, module, name] of named)
    expect(Object.keys(module === "Rules" ? Rules : Parts), `${module}.${name}`).toContain(name)
})

it("names every family that has quantizers of Brevitas", () => {
  const families = new Set(Object.values(quantizers).flat().map(Breve.Catalogue.familyOf))
  for (const family of families) expect(names).toContain(`\`${family}\``)
})

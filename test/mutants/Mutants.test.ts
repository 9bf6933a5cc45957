/** Every mutant applies, and laws kill them: here a few, all of them in `npm run mutants`. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { packs } from "../laws/Packs.ts"
import { applied, type Mutant } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"
import { trial } from "./Trial.ts"

/** A trial bundles all laws and starts a process. */
const patience = 240_000

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")
const named = (name: string): Mutant => mutants.find((one) => one.name === name) as Mutant

describe("mutants", () => {
  it("have names of their own, and are many", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
    expect(mutants.length).toBeGreaterThanOrEqual(35)
  })
  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))("applies: %s", (_, mutant) => {
    const source = read(mutant.file)
    expect(applied(mutant, source)).not.toBeInstanceOf(Error)
    expect(applied(mutant, source)).not.toBe(source)
  })
  it("a text that is not there, or twice, is an error", () => {
    const [mutant] = mutants as readonly [Mutant]
    expect(applied({ ...mutant, text: "no such text" }, read(mutant.file))).toMatchObject({
      message: expect.stringContaining("0 times")
    })
    expect(applied({ ...mutant, text: "const " }, read(mutant.file))).toBeInstanceOf(Error)
  })
  it("name packs and laws that there are", () => {
    const known = new Set(packs.map(({ name }) => name))
    expect(mutants.flatMap((mutant) => mutant.packs.filter((name) => !known.has(name)))).toEqual([])
  })
  it("are in docs/mutants.md, each killed", () => {
    const text = read("docs/mutants.md")
    for (const { name } of mutants) expect(text).toContain(`| ${name} `)
    expect(text).toContain(`Killed ${mutants.length} of ${mutants.length}.`)
  })
  it(
    "a control, without a mutant, keeps its laws",
    async () => {
      expect(await trial("test-control", undefined, ["IntegerLaws", "QuantWidthLaws"], 50)).toEqual({
        kept: expect.any(Number)
      })
    },
    patience
  )
  it.each(["the range is off by one", "products grow by one bit too few", "what was built first is released first"])(
    "killed: %s",
    async (name) => {
      const mutant = named(name)
      const judgement = await trial(`test-${mutants.indexOf(mutant)}`, mutant, mutant.packs, 100)
      expect(judgement).toMatchObject({ broken: { law: mutant.law } })
    },
    patience
  )
})

/**
 * How laws are run: what is claimed, what a failure says, and that its seed and path show it again.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"

interface Sum {
  readonly name: string
  readonly add: (a: number, b: number) => number
}
const good: Sum = { name: "Plus", add: (a, b) => a + b }
const broken: Sum = { name: "Odd", add: (a, b) => (a > 16 ? a - b - 1 : a + b) }
const numbers = { a: fc.nat(1000), b: fc.nat(1000) }

const commutes = Law.forAll<Sum, { readonly a: number; readonly b: number }>(
  {
    name: "commutes",
    states: "a + b = b + a",
    unclaimed: ({ name }) => (name === "Minus" ? "it is no sum" : undefined)
  },
  numbers,
  ({ add }, { a, b }) => add(a, b) === add(b, a) || `${add(a, b)} is not ${add(b, a)}`
)
const commutesLater = Law.forAllAsync<Sum, { readonly a: number; readonly b: number }>(
  { name: "commutes later", states: "a + b = b + a" },
  numbers,
  async ({ add }, { a, b }) => add(a, b) === add(b, a)
)
const small = Law.everywhere<Sum, { readonly a: number; readonly b: number }>(
  { name: "commutes up to 20", states: "a + b = b + a" },
  () => Array.from({ length: 21 * 21 }, (_, i) => ({ a: i % 21, b: Math.floor(i / 21) })),
  ({ add }, { a, b }) => add(a, b) === add(b, a)
)

/** A broken law's finding, or a failure of the test. */
const finding = async (law: Law.Law<Sum>, subject: Sum, options?: Law.Options): Promise<Law.Broken> => {
  const found = await Law.verdict(law, subject, options)
  return found.kind === "broken" ? found : expect.fail(`the law was ${found.kind}`)
}

describe("Law", () => {
  it("is kept on as many cases as it is told, fewer where they take long, all where it looks at all", async () => {
    expect(await Law.verdict(commutes, good)).toEqual({ kind: "kept", runs: 100 })
    expect(await Law.verdict(commutes, good, { runs: 7 })).toEqual({ kind: "kept", runs: 7 })
    const long = Law.forAll<Sum, { readonly a: number }>(
      { name: "zero", states: "a + 0 = a", weight: 30 },
      { a: fc.nat() },
      ({ add }, { a }) => add(a, 0) === a
    )
    expect(await Law.verdict(long, good)).toEqual({ kind: "kept", runs: 4 })
    expect(await Law.verdict(commutesLater, good, { runs: 9 })).toEqual({ kind: "kept", runs: 9 })
    expect(await Law.verdict(small, good, { runs: 1 })).toEqual({ kind: "kept", runs: 441 })
  })

  it.each([commutes, commutesLater])("names the smallest case that breaks $name", async (law) => {
    const { counterexample, found } = await finding(law, broken)
    expect(counterexample).toBe("a = 17; b = 0")
    expect(found).toEqual({ a: 17, b: 0 })
  })

  it("begins where the seed says, the same way each time, and a failure can be seen again", async () => {
    const first = await finding(commutes, broken, { seed: 42 })
    expect(await finding(commutes, broken, { seed: 42 })).toEqual(first)
    expect(first.seed).toBe(42)
    const again = await finding(commutes, broken, { seed: 42, path: first.path })
    expect(again).toMatchObject({ runs: 1, shrinks: 0, counterexample: first.counterexample, reason: first.reason })
    expect(await Law.verdict(commutes, good, { seed: 42, path: first.path })).toEqual({ kind: "kept", runs: 1 })
    const seeds = await Promise.all([1, 2, 3].map((seed) => finding(commutes, broken, { seed })))
    expect(new Set(seeds.map(({ runs, path }) => `${runs} ${path}`)).size).toBeGreaterThan(1)
  })

  it("tells the first of all cases, and that there was none", async () => {
    expect(await finding(small, broken)).toEqual({
      kind: "broken",
      counterexample: "a = 17; b = 0",
      found: { a: 17, b: 0 },
      reason: "it does not hold",
      runs: 18,
      shrinks: 0
    })
    const empty = Law.everywhere<Sum, object>(
      { name: "empty", states: "" },
      () => [],
      () => true
    )
    expect((await finding(empty, good)).reason).toBe("there is nothing to try it on")
    const unfit = Law.forAll<Sum, { readonly a: number }>({ name: "unfit", states: "" }, { a: fc.nat() }, () => {
      fc.pre(false)
      return true
    })
    expect((await finding(unfit, good)).reason).toMatch(/^only 0 of \d+ cases were fit to be tried$/)
  })

  it("is broken by what throws, with its message", async () => {
    const throwing: Sum = {
      name: "Throwing",
      add: () => {
        throw new RangeError("too much")
      }
    }
    for (const law of [commutes, commutesLater, small]) expect((await finding(law, throwing)).reason).toBe("too much")
  })

  it("is not claimed where it says so", async () => {
    const minus = { ...broken, name: "Minus" }
    expect(await Law.verdict(commutes, minus)).toEqual({ kind: "not claimed", reason: "it is no sum" })
    await Law.check(commutes, minus)
  })

  it("can be about a part of a subject", async () => {
    const part = Law.on(commutes, ({ sum }: { readonly sum: Sum }) => sum)
    expect(await Law.verdict(part, { sum: good })).toEqual({ kind: "kept", runs: 100 })
    expect((await Law.verdict(part, { sum: broken })).kind).toBe("broken")
    expect((await Law.verdict(part, { sum: { ...good, name: "Minus" } })).kind).toBe("not claimed")
  })
})

describe("cases", () => {
  it("are titles and tests", async () => {
    const tests = Law.cases([commutes, small], broken)
    expect(tests.map(([title]) => title)).toEqual(["commutes: a + b = b + a", "commutes up to 20: a + b = b + a"])
    for (const [, run] of tests) await expect(run()).rejects.toThrow(Law.LawBroken)
    for (const [, run] of Law.cases([commutes, small], good)) await run()
    expect(Law.cases([commutes], { ...broken, name: "Minus" })[0]?.[0]).toBe("commutes: not claimed (it is no sum)")
  })

  it("say what was broken, by whom, where, and how to see it again", async () => {
    const { runs, shrinks, path } = await finding(commutes, broken, { seed: 5 })
    const [[, run]] = Law.cases([commutes], broken, { seed: 5 }) as [readonly [string, () => Promise<void>]]
    await expect(run()).rejects.toThrow(
      [
        '"commutes" is broken by Odd',
        "  states   a + b = b + a",
        "  but for  a = 17; b = 0",
        "           16 is not 17",
        `  found    in ${runs} ${runs === 1 ? "case" : "cases"}, made smaller ${shrinks} times`,
        `  again    { seed: 5, path: "${path}" }`
      ].join("\n")
    )
  })
})

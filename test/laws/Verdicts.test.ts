/** Many laws in one go say what each says alone, and see each case together. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"
import * as Verdicts from "../../laws/Verdicts.ts"

interface Sum {
  readonly add: (a: number, b: number) => number
  readonly seen: Array<unknown>
}
interface Case {
  readonly a: number
  readonly b: number
}
const numbers = { a: fc.nat(1000), b: fc.nat(1000) }
const commutes = Law.forAll<Sum, Case>({ name: "commutes", states: "a + b = b + a" }, numbers, (sum, one) => {
  sum.seen.push(one)
  return sum.add(one.a, one.b) === sum.add(one.b, one.a) || `${sum.add(one.a, one.b)} is not the other`
})
const grows = Law.forAll<Sum, Case>({ name: "grows", states: "a + b >= a", weight: 4 }, numbers, (sum, one) => {
  sum.seen.push(one)
  if (one.b > 900) throw new Error("too many")
  return sum.add(one.a, one.b) >= one.a
})
const others = Law.forAll<Sum, Case>({ name: "others", states: "a + b = a + b" }, { ...numbers }, () => true)
const unclaimed: Law.Law<Sum> = { ...commutes, name: "unclaimed", unclaimed: () => "of none" }
const everywhere = Law.everywhere<Sum, Case>(
  { name: "one", states: "1 + 1 = 2" },
  () => [{ a: 1, b: 1 }],
  ({ add }, { a, b }) => add(a, b) === 2
)
const later = Law.forAllAsync<Sum, Case>({ name: "later", states: "0" }, numbers, async () => true)
const all = [commutes, grows, others, unclaimed, everywhere, later]

const plus = (): Sum => ({ add: (a, b) => a + b, seen: [] })
const odd = (): Sum => ({ add: (a, b) => (a > 16 ? a - b - 1 : a + b), seen: [] })

describe("Verdicts", () => {
  it.each([
    ["a sum", plus],
    ["what is none", odd]
  ])("are those of each law alone: %s", async (_, make) => {
    for (const options of [{}, { runs: 40, seed: 7 }, { runs: 400, seed: -3 }]) {
      const alone = await Promise.all(all.map((law) => Law.verdict(law, make(), options)))
      expect(await Verdicts.of(all, make(), options)).toEqual(alone)
    }
    expect((await Verdicts.of(all, odd())).map(({ kind }) => kind)).toEqual([
      ...["broken", "broken", "kept", "not claimed", "kept", "kept"]
    ])
  })
  it("show each case to all laws over the same ones, as often as each wants", async () => {
    const together = plus()
    await Verdicts.of(
      [commutes, { ...grows, trial: { ...grows.trial, keeps: commutes.trial?.keeps } as never }],
      together,
      { runs: 20 }
    )
    const shown = together.seen
    expect(shown.length).toBe(25)
    expect(new Set(shown).size).toBe(20)
    const alone = plus()
    await Law.verdict(commutes, alone, { runs: 20 })
    expect([...new Set(shown)]).toEqual(alone.seen)
  })
  it("follow a path one law after another", async () => {
    const [found] = await Verdicts.of([commutes, grows], odd())
    const { seed, path } = found?.kind === "broken" ? found : expect.fail("it is broken")
    const [again] = await Verdicts.of([commutes, others], odd(), { seed, path } as Law.Options)
    expect(again).toMatchObject({ kind: "broken", runs: 1, shrinks: 0 })
  })
})

/**
 * The tests of a pack of laws: good subjects keep them, broken ones are noticed, no law lacks either.
 */
import { describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"
import { type Pack, verdict, weighted } from "./Pack.ts"

/** The tests of a pack: good subjects keep its laws, broken ones are noticed, no law lacks either. */
export const suite = <S>({ name, laws, good, broken, runs }: Pack<S>): void => {
  const claimed = new Set<Law.Law<S>>()
  for (const [subject, made, weight] of good)
    describe(`${name}: ${subject}`, () => {
      it.each(laws.map((law) => [law.name, law] as const))("keeps: %s", async (_, law) => {
        const found = await verdict(law, made, { runs: weighted(runs, weight) })
        if (found.kind === "broken") throw new Law.LawBroken({ law, subject, broken: found })
        if (found.kind === "kept") claimed.add(law)
      })
    })
  describe(name, () => {
    it.each(broken.map(([law, how, made]) => [`${law.name} (${how})`, law, made] as const))(
      "would notice: %s",
      async (_, law, made) => {
        const found = await verdict(law, made, { runs: Math.max(300, runs) })
        expect(found).toMatchObject({ kind: "broken", counterexample: expect.stringMatching(/./) })
      }
    )
    it("has a broken subject for each law", () => {
      expect(laws.filter((law) => !broken.some(([noticed]) => noticed === law)).map((law) => law.name)).toEqual([])
    })
    it("claims each law of some good subject", () => {
      expect(laws.filter((law) => !claimed.has(law)).map((law) => law.name)).toEqual([])
    })
    it("gives each law a name of its own", () => {
      expect(new Set(laws.map((law) => law.name)).size).toBe(laws.length)
    })
  })
}

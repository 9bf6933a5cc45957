/**
 * The tests of a pack of laws: good subjects keep them, broken ones are noticed, no law lacks either.
 */
import { beforeAll, describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"
import { type Pack, verdict, verdicts } from "./Pack.ts"

/** The tests of a pack: good subjects keep its laws, broken ones are noticed, no law lacks either. */
export const suite = <S>(pack: Pack<S>): void => {
  const { name, laws, good, broken, runs } = pack
  const claimed = new Set<Law.Law<S>>()
  for (const one of good) {
    const [subject] = one
    describe(`${name}: ${subject}`, () => {
      const all: Array<Law.Verdict> = []
      beforeAll(async () => void all.push(...(await verdicts(pack, one, { runs }))), 120_000)
      it.each(laws.map((law, i) => [law.name, law, i] as const))("keeps: %s", (_, law, i) => {
        const found = all[i] as Law.Verdict
        if (found.kind === "broken") throw new Law.LawBroken({ law, subject, broken: found })
        if (found.kind === "kept") claimed.add(law)
      })
    })
  }
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

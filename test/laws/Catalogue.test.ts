/**
 * Every entry of the catalogue keeps every law that is claimed of it, and docs/laws.md says so.
 */
import { readFile } from "node:fs/promises"
import { Effect, ManagedRuntime } from "effect"
import { describe, expect, it } from "vitest"
import * as Law from "../../laws/Law.ts"
import * as TensorQuantizerLaws from "../../laws/TensorQuantizerLaws.ts"
import * as Backend from "../../src/backend/Backend.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { file, laws, page, type Verdicts, verdicts } from "./LawsDocument.ts"

const runtime = ManagedRuntime.make(Backend.layer)
const found: Record<string, Verdicts> = {}

describe("every law that is claimed is kept", () => {
  it.each(Object.keys(Catalogue.entries))("by %s", async (name) => {
    const all = await runtime.runPromise(Effect.orDie(verdicts(name, { runs: 8, seed: 1 })))
    found[name] = all
    for (const [i, verdict] of all.entries())
      if (verdict.kind === "broken")
        throw new Law.LawBroken({ law: laws[i] as Law.Statement<never>, subject: name, broken: verdict })
  })
  it("is of some entry, whatever the law", () => {
    const unclaimed = laws.filter((_, i) => !Object.values(found).some((all) => all[i]?.kind === "kept"))
    expect(unclaimed.map(({ name }) => name)).toEqual([])
  })
  it("is not idempotence of quantizers with two scales: asked for it, all but one break it", async () => {
    const kinds = await runtime.runPromise(
      Effect.forEach(Object.entries(Catalogue.families.Decoupled ?? {}), ([name, entry]) => {
        const subject = TensorQuantizerLaws.subject(entry, { claim: ["idempotent"] })
        const law = TensorQuantizerLaws.idempotent
        return Effect.map(
          Effect.promise(() => Law.verdict(law, subject, { runs: 300 })),
          ({ kind }) => [name, kind] as const
        )
      })
    )
    expect(kinds.filter(([, kind]) => kind === "kept")).toEqual([["Int8WeightPerChannelFloatDecoupled", "kept"]])
  })
  it("is what docs/laws.md says; if not, run: npm run laws -- --write", async () => {
    expect(await readFile(file, "utf8")).toBe(page(found))
  })
})

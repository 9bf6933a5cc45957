/**
 * The guide "Laws": its files are compiled and run, are in the guide as they are, and the laws say what it says.
 */
import { readdir, readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { Backend } from "breve"
import * as all from "breve/laws"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Loop from "../../docs/examples/laws/loop.ts"
import * as Own from "../../docs/examples/laws/own-law.ts"
import * as OwnStep from "../../docs/examples/laws/own-step.ts"
import * as Quantizers from "../../docs/examples/laws/quantizers.ts"

const { Law, TensorQuantizerLaws } = all
const packs = Object.keys(all).filter((name) => name.endsWith("Laws"))
const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = "docs/examples/laws"
const guide = await readFile(`${root}docs/guide/laws.md`, "utf8")

describe("the guide to laws", () => {
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await readFile(root + path, "utf8"))
    expect(blocks.map(([, path]) => path).sort()).toEqual(
      (await readdir(root + folder)).map((file) => `${folder}/${file}`).sort()
    )
  })
  it("has tests that pass", async () => {
    expect(Loop.tests.length).toBe(TensorQuantizerLaws.all.length)
    for (const [, run] of Loop.tests) await run()
  })
  it("has a step that keeps the laws of steps", async () => {
    expect(OwnStep.tests.length).toBe(all.TransformLaws.all.length)
    for (const [, run] of OwnStep.tests) await run()
  })
  it("claims and disclaims", async () => {
    expect((await Law.verdict(TensorQuantizerLaws.sign, Loop.subject)).kind).toBe("kept")
    expect(await Law.verdict(TensorQuantizerLaws.requantized, Loop.subject)).toEqual({
      kind: "not claimed",
      reason: "it sees each tensor once"
    })
  })
  it("shows how a broken quantizer is caught", async () => {
    const subject = TensorQuantizerLaws.subject(Quantizers.HalfClamped)
    const broken = await Law.verdict(TensorQuantizerLaws.range, subject)
    const shown =
      broken.kind === "broken" ? Law.explained(TensorQuantizerLaws.range, broken) : expect.fail("it is kept")
    const [, text] = guide.match(/```text\n {2}BROKEN {7}range\n([\s\S]*?)\n```/) ?? []
    const { seed, path } = broken as Required<all.Law.Broken>
    const again = `  again    breve laws ./quantizers.js#HalfClamped --law range --seed ${seed} --path ${path}`
    expect(text).toBe([...shown.slice(0, -1), again].map((line) => `    ${line}`).join("\n"))
  })
  it("has a law that one clamp keeps and another one breaks", async () => {
    const program = Effect.promise(async () => {
      expect((await Law.verdict(Own.bounded, Own.ours)).kind).toBe("kept")
      const broken = await Law.verdict(Own.bounded, Own.theirs)
      expect(broken).toMatchObject({ kind: "broken" })
      expect(guide).toContain(
        `breaks it: \`${broken.kind === "broken" ? `${broken.counterexample}: ${broken.reason}` : ""}\`.`
      )
    })
    await Effect.runPromise(Effect.provide(Effect.andThen(Effect.service(Backend.Backend), program), Backend.layer))
    expect(tf.getBackend()).toBe("wasm")
  })
  it("names every pack", () => {
    expect(packs.length).toBeGreaterThan(10)
    for (const name of packs) expect(guide).toContain(`\`${name}\``)
  })
})

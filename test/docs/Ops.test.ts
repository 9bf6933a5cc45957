import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

const folder = new URL("../../src/op/", import.meta.url)
const bullets = ["formula", "shapes", "gradient", "errors", "source"]

/** Every exported function of src/op with the comment that stands before it. */
const ops = readdirSync(folder).flatMap((file) => {
  const text = readFileSync(new URL(file, folder), "utf8")
  return [...text.matchAll(/((?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?)export const (\w+)/g)].map((found) => ({
    name: `${file.replace(".ts", "")}.${found[2]}`,
    comment: found[1] ?? ""
  }))
})

/** Exports that build ops or count, and are no ops themselves. */
const notOps = new Set(["Round.straightThrough", "Round.flat", "Statistic.highRank", "Pointwise.few"])

describe("docs of ops", () => {
  it("finds the ops", () => expect(ops.length).toBeGreaterThan(10))
  it.each(ops.filter(({ name }) => !notOps.has(name)))("$name has the five bullets", ({ comment }) => {
    for (const bullet of bullets) expect(comment).toMatch(new RegExp(`^ \\* - ${bullet}:`, "m"))
  })
})

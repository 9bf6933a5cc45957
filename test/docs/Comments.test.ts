/**
 * Doc comments of public functions: each says what it does, and with which errors it fails if it can. What ops say is in Ops.test.ts.
 */
import { describe, expect, it } from "vitest"
import * as Surface from "./api/Surface.ts"

const { breve, laws, wasm } = Surface.read()
const entries = [...breve, wasm, ...laws].flatMap(({ name, entries }) =>
  entries.map((entry) => ({ ...entry, name: `${name}.${entry.name}` }))
)
const tagged = breve.find(({ name }) => name === "Errors")?.entries.filter(({ kind }) => kind === "class") ?? []
const failures = new RegExp(`\\b(${[...tagged.map(({ name }) => name), "\\w+Error"].join("|")})\\b`)

/** What a function answers, without its parameters: from the last of the types that can fail on. */
const answerOf = (signature: string): string => signature.match(/\b(Effect|Result|Step|Stream)<[\s\S]*$/)?.[0] ?? ""

/** Functions whose type says that they can fail. */
const failing = entries.filter(({ kind, signature }) => kind === "function" && failures.test(answerOf(signature)))

describe("the doc comment", () => {
  it("is there for all that is no type", () => {
    expect(entries.length).toBeGreaterThan(1000)
    const bare = entries.filter(({ kind, comment }) => kind !== "type" && !/^\S[\s\S]*[.:;`]/.test(comment))
    expect(bare.map(({ name }) => name)).toEqual([])
  })

  it("of what can fail says with which errors", () => {
    expect(failing.length).toBeGreaterThan(100)
    const silent = failing.filter(({ comment }) => !/^- errors:/m.test(comment))
    expect(silent.map(({ name }) => name)).toEqual([])
  })

  it("of what can fail says more than none", () => {
    const wrong = failing.filter(({ comment }) => /^- errors: +none[.;]?$/m.test(comment))
    expect(wrong.map(({ name }) => name)).toEqual([])
  })
})

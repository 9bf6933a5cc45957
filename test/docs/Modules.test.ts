/**
 * Each public module has an example that answers what it says.
 */
import * as Breve from "breve"
import { describe, expect, it } from "vitest"
import * as Example from "./modules/Example.ts"

/** The modules of `breve`, and its other entries. */
const modules = [...Object.keys(Breve), "laws", "wasm"]

it("every public module has an example, and nothing else has", () => {
  expect([...Example.names].sort()).toEqual([...modules].sort())
})

describe("the example of", () => {
  it.each(Example.names)("%s answers what it says, and leaves no tensor", async (name) => {
    const example = await Example.load(name)
    expect(await Example.answerOf(example)).toEqual(example.shows)
  })
})

import { describe, expect, it } from "vitest"
import * as Origin from "../../src/proxy/Origin.ts"

describe("Origin.axesOf", () => {
  it.each([
    ["weight", 1, [0]],
    ["weight", 2, [1, 0]],
    ["weight", 3, [2, 1, 0]],
    ["weight", 4, [2, 3, 1, 0]],
    ["outProj.weight", 5, [2, 3, 4, 1, 0]],
    ["bias", 1, [0]],
    ["inputWeight", 2, [0, 1]],
    ["value", 0, []]
  ] as const)("%s of %i axes", (path, rank, axes) => {
    expect(Origin.axesOf(path, rank)).toEqual(axes)
  })
})

/** What `npm run laws` is asked to do. */
import { describe, expect, it } from "vitest"
import { chosen, type Plan, parsed } from "./Plan.ts"

const all = ["A: one", "A: two", "B: one", "B: two", "B: three"].map((name) => ({ name }))
const plan = (...args: ReadonlyArray<string>): Plan => {
  const found = parsed(args)
  return typeof found === "string" ? expect.fail(found) : found
}
const numbers = (...args: ReadonlyArray<string>) => {
  const found = chosen(plan(...args), all)
  return typeof found === "string" ? expect.fail(found) : found.map(({ number }) => number)
}

describe("the plan of a long run", () => {
  it("is the whole with 100 cases, unless it says otherwise", () => {
    expect(plan()).toEqual({
      ...{ runs: 100, seed: 0, only: undefined, from: 1, write: false },
      shard: { index: 1, of: 1 }
    })
    expect(plan("--runs", "7", "--seed=-2")).toMatchObject({ runs: 7, seed: -2 })
    expect(numbers()).toEqual([1, 2, 3, 4, 5])
  })
  it("takes what a pattern names, whatever the case, and what is left from a number on", () => {
    expect(numbers("--only", "^b")).toEqual([3, 4, 5])
    expect(numbers("--only", "t(wo|hree)")).toEqual([2, 4, 5])
    expect(numbers("--from", "4")).toEqual([4, 5])
    expect(numbers("--only", "one", "--from", "2")).toEqual([3])
  })
  it("splits the same parts, wherever it begins, so that shards are the whole and are resumed", () => {
    const shards = [1, 2, 3].flatMap((i) => numbers("--shard", `${i}/3`))
    expect(shards.toSorted()).toEqual([1, 2, 3, 4, 5])
    expect(numbers("--shard", "1/2")).toEqual([1, 3, 5])
    expect(numbers("--shard", "1/2", "--from", "2")).toEqual([3, 5])
  })
  it("says what is wrong with it", () => {
    expect(parsed(["--runs", "0"])).toBe('--runs is "0": it must be a whole number of at least 1')
    expect(parsed(["--seed", "x"])).toMatch(/^--seed is "x"/)
    expect(parsed(["--shard", "3/2"])).toBe('--shard is "3/2": it must be one of so many, such as 2/4')
    expect(parsed(["--shard", "0/2"])).toMatch(/^--shard is/)
    expect(parsed(["--only", "("])).toMatch(/^--only is "\("/)
    expect(parsed(["--ruins", "3"])).toMatch(/--ruins/)
    expect(chosen(plan("--only", "C"), all)).toBe(
      'there is no such part; they have names such as "A: one", and numbers from 1 to 5'
    )
  })
})

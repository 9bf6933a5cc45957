/**
 * The page docs/sources.md has every work that doc comments cite.
 */
import { readFile } from "node:fs/promises"
import { describe, expect, it } from "vitest"
import * as Page from "./sources/Page.ts"
import { works } from "./sources/Works.ts"

const given = Page.citations.map((one) => [`${one.file}: ${one.text}`, one] as const)

describe("the sources", () => {
  it("are many", () => expect(given.length).toBeGreaterThan(400))

  it("are all known: a work, or something here", () => {
    const unknown = given
      .filter(([, one]) => Page.worksOf(one).length === 0 && !Page.isOwn(one))
      .map(([place]) => place)
    expect(unknown).toEqual([])
  })

  it("have the authors and the year of their work", () => {
    const wrong = given.filter(([, one]) =>
      Page.worksOf(one).some(({ authors, year, cited }) => {
        const [, before = ""] = one.text.match(new RegExp(`^(.*?),? ?${cited.replace(/[.()/]/g, "\\$&")}`)) ?? []
        const [, told] = before.match(/(\d{4})$/) ?? []
        return told !== undefined && (told !== `${year}` || !before.includes(authors.split(/,| et al/)[0] as string))
      })
    )
    expect(wrong.map(([place]) => place)).toEqual([])
  })

  it("are cited somewhere, each of them", () => {
    for (const work of works) expect(Page.users(work), work.title).not.toEqual([])
  })

  it("that are not there are noticed", () => {
    const unheard = { file: "src/op/Round.ts", text: "Nobody 2031, arXiv:3101.00001" }
    expect(Page.worksOf(unheard)).toEqual([])
    expect(Page.isOwn(unheard)).toBe(false)
  })

  it("are on the page; if not, run: npm run sources", async () =>
    expect(await readFile(Page.file, "utf8")).toBe(Page.page()))
})

/**
 * The page docs/catalogue.md says what the declarations say.
 */
import { readFile } from "node:fs/promises"
import { expect, it } from "vitest"
import * as CatalogueTable from "../../src/cli/CatalogueTable.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import * as CatalogueDocument from "./CatalogueDocument.ts"

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)
const generated = await CatalogueDocument.page()

it("is up to date; if not, run: npm run catalogue", async () => {
  expect(await readFile(CatalogueDocument.file, "utf8")).toBe(generated)
})

it("is the same each time", async () => expect(await CatalogueDocument.page()).toBe(generated))

it("has a row for each quantizer, which links to the line of its declaration", async () => {
  const links = [...generated.matchAll(/^\| \[(\w+)\]\(\.\.\/(\S+)#L(\d+)\)/gm)]
  expect(links.map(([, name]) => name).sort()).toEqual(Object.keys(Catalogue.entries).sort())
  for (const [, name, path, line] of links) {
    const text = (await readFile(at(path as string), "utf8")).split("\n")[Number(line) - 1]
    expect(text, `${path}:${line}`).toMatch(new RegExp(`\\b${name}\\b`))
  }
})

it("finds declarations, not mentions", () => {
  const text = "// Foo\nexport const Bar = f(Foo)\nexport const Foo = 1\nexport const { Baz, Foo2 } = g()"
  expect(["Foo", "Bar", "Baz", "Absent"].map((name) => CatalogueTable.lineOf(text, name))).toEqual([3, 2, 4, 1])
})

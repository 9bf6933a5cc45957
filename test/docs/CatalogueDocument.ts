/**
 * The page `docs/catalogue.md` as it should be, from the declarations and the files they are in.
 */
import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as CatalogueTable from "../../src/cli/CatalogueTable.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)

/** Where the page is. */
export const file = at("docs/catalogue.md")

/** What should be in it. */
export const page = async (): Promise<string> => {
  const paths = Object.keys(Catalogue.families).map(Catalogue.fileOf)
  const texts = await Promise.all(paths.map(async (path) => [path, await readFile(at(path), "utf8")] as const))
  return Effect.runPromise(Effect.provide(CatalogueTable.page(Object.fromEntries(texts)), Backend.layer))
}

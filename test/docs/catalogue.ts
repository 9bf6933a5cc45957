/**
 * `npm run catalogue`: writes docs/catalogue.md.
 */
import { writeFile } from "node:fs/promises"
import { file, page } from "./CatalogueDocument.ts"

await writeFile(file, await page())

/**
 * `npm run exported`: writes docs/exported.md.
 */
import { writeFile } from "node:fs/promises"
import { file, page } from "./ExportedDocument.ts"

await writeFile(file, await page())

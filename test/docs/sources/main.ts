/**
 * `npm run sources`: writes docs/sources.md.
 */
import { writeFile } from "node:fs/promises"
import { file, page } from "./Page.ts"

await writeFile(file, page())

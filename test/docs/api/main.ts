/**
 * `npm run api`: writes docs/api.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import * as Page from "./Page.ts"
import * as Surface from "./Surface.ts"

const folder = new URL("../../../docs/api/", import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(Page.pages(Surface.read()))) writeFileSync(new URL(name, folder), text)

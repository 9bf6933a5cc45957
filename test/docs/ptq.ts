/**
 * Writes the tables of docs/ptq.md: `npm run ptq-table -- --data DIR`, a folder with MNIST-style IDX files; without it drawn digits.
 */
import { readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Console, Effect } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as Digits from "../../src/cli/Digits.ts"
import * as Folder from "../../src/cli/Folder.ts"
import * as Node from "../../src/cli/Node.ts"
import * as PtqTable from "./PtqTable.ts"

const at = process.argv.indexOf("--data")
const folder = at < 0 ? undefined : process.argv[at + 1]
const file = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "ptq.md")

const work = Effect.gen(function* () {
  yield* Backend.Backend
  const { train, test } = folder === undefined ? Folder.split(Digits.make(1, 10000)) : yield* Folder.read(folder)
  const plan: PtqTable.Plan = {
    train,
    test,
    epochs: 6,
    seeds: [1, 2, 3],
    bits: [8, 6, 4, 3],
    methods: PtqTable.methods,
    samples: 256,
    said: Console.log
  }
  yield* PtqTable.document(plan, (tables) =>
    Effect.promise(async () => writeFile(file, PtqTable.within(await readFile(file, "utf8"), tables)))
  )
})

Node.runMain(work.pipe(Effect.provide(Backend.layer), Effect.provide(Node.layer)))

/**
 * The guide "Quantizing without training": its files run, are in the guide as they are, and answer what it says.
 */
import { readdir, readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { Backend } from "breve"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Accumulator from "../../docs/examples/post-training/accumulator.ts"
import * as Choose from "../../docs/examples/post-training/choose.ts"
import * as Observe from "../../docs/examples/post-training/observe.ts"
import * as Pipeline from "../../docs/examples/post-training/pipeline.ts"
import * as Prepare from "../../docs/examples/post-training/prepare.ts"
import * as Recipe from "../../docs/examples/post-training/recipe.ts"
import * as Rounding from "../../docs/examples/post-training/rounding.ts"
import * as Structure from "../../docs/examples/post-training/structure.ts"
import * as Steps from "../../src/ptq/Steps.ts"

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
const folder = "docs/examples/post-training"
const text = (path: string): Promise<string> => readFile(join(root, path), "utf8")
const guide = await text("docs/guide/post-training.md")
const texts = [...guide.matchAll(/```text\n([\s\S]*?)\n```/g)].map(([, shown]) => shown as string)

/** What the files answer, in the order of the guide; they leave no tensor behind. */
const answers = Effect.gen(function* () {
  yield* Backend.Backend
  const before = tf.memory().numTensors
  const all = [
    yield* Effect.scoped(Pipeline.run),
    yield* Effect.scoped(Prepare.run),
    yield* Effect.scoped(Rounding.run),
    yield* Effect.scoped(Accumulator.run),
    yield* Effect.scoped(Observe.run),
    yield* Effect.scoped(Choose.run),
    yield* Effect.scoped(Recipe.run),
    yield* Effect.scoped(Structure.run)
  ]
  expect(tf.memory().numTensors).toBe(before)
  return all
}).pipe(Effect.provide(Backend.layer))

describe("the guide", () => {
  it("shows what its files answer", async () => expect(texts).toEqual(await Effect.runPromise(answers)))
  it("names every step that recipes may have", () => {
    for (const name of Steps.names) expect(guide).toContain(`\`${name}\``)
  })
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
    const files = (await readdir(join(root, folder))).map((file) => `${folder}/${file}`)
    expect(blocks.map(([, path]) => path).sort()).toEqual(files.sort())
  })
})

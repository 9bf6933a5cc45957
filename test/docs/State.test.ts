/**
 * The guide "States": its files are compiled and run, are in the guide as they are, and answer what it says.
 */
import { readdir, readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Safetensors, Stored } from "breve"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Failures from "../../docs/examples/state/failures.ts"
import * as PyTorch from "../../docs/examples/state/pytorch.ts"
import * as Save from "../../docs/examples/state/save.ts"
import * as Text from "../../docs/examples/state/text.ts"

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
const folder = "docs/examples/state"
const text = (path: string): Promise<string> => readFile(join(root, path), "utf8")
const guide = await text("docs/guide/state.md")
const shown = [...guide.matchAll(/```(?:text|json)\n([\s\S]*?)```/g)].map(([, block]) => block as string)

/** Runs a program on the backend and checks that no tensor is left behind. */
const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

describe("the guide to states", () => {
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
    const files = (await readdir(join(root, folder))).map((file) => `${folder}/${file}`)
    expect(blocks.map(([, path]) => path).sort()).toEqual(files.sort())
    expect(guide.match(/```ts\n/g)).toHaveLength(blocks.length)
    expect(shown).toHaveLength(3)
  })

  it("says which names a state has at which stage", async () => {
    const { atFirst, adopted, metadata } = await run(
      Effect.gen(function* () {
        const x = yield* Effect.acquireRelease(
          Effect.sync(() => tf.tensor2d([[1, -2]])),
          (tensor) => Effect.sync(() => tensor.dispose())
        )
        return yield* Save.run(x)
      })
    )
    expect(metadata).toEqual({ epoch: "1" })
    const own = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    expect(atFirst).toEqual(own)
    expect([...adopted].sort()).toEqual([...own, "act.actQuant.scalingImpl.value"].sort())
    expect(shown[0]).toBe(`${[...adopted].sort().join("\n")}\n`)
  })

  it("shows what JSON looks like", async () => expect(shown[1]).toBe(await run(Text.run)))

  it("adopts a float network", async () => {
    const dict = {
      "fc1.weight": Stored.fromFloats(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]),
      "fc1.bias": Stored.fromFloats(Float32Array.of(1, 2, 3), [3]),
      "fc2.weight": Stored.fromFloats(Float32Array.of(7, 8, 9), [1, 3]),
      "fc2.bias": Stored.fromFloats(Float32Array.of(4), [1])
    }
    const { missing, back } = await run(PyTorch.run(Safetensors.encode(dict, { format: "pt" })))
    expect(missing).toEqual(["act.actQuant.scalingImpl.value"])
    expect(back).toEqual(dict)
  })

  it("shows what failures say", async () => expect(shown[2]).toBe(`${(await run(Failures.run)).join("\n")}\n`))
})

/**
 * The guide "Training": its files are compiled and run, are in the guide as they are, and answer what it says.
 */
import { readdir, readFile } from "node:fs/promises"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Layer, Optimizer, Train, Trainer } from "breve"
import { Effect, Option, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Binary from "../../docs/examples/training/binary.ts"
import { network } from "../../docs/examples/training/network.ts"
import * as Resume from "../../docs/examples/training/resume.ts"
import * as Example from "../../docs/examples/training/train.ts"
import * as Wrong from "../../docs/examples/training/wrong.ts"

const text = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8")
const folder = "docs/examples/training"
const guide = await text("docs/guide/training.md")
const texts = [...guide.matchAll(/```text\n([\s\S]*?)\n```/g)].map(([, shown]) => shown as string)

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

describe("the guide", () => {
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
    const files = (await readdir(new URL(`../../${folder}`, import.meta.url))).map((file) => `${folder}/${file}`)
    expect(blocks.map(([, path]) => path).sort()).toEqual(files.sort())
  })
  it("shows what the training says", async () => {
    const lines = await run(Example.run)
    expect(texts[0]).toBe(lines.join("\n"))
  })
  it("shows what fails", async () => expect(texts[1]).toBe((await run(Wrong.run)).join("\n")))
  it("goes on from a file to the same end", async () => {
    const whole = await run(
      Effect.gen(function* () {
        return yield* Stream.runLast(Train.run(yield* network, Example.options))
      })
    )
    const resumed = await run(Resume.run)
    const timeless = Option.map((event: Train.Event) => ({ ...event, milliseconds: 0 }))
    expect(timeless(resumed)).toEqual(timeless(whole))
  })
  it("keeps binary weights within their bounds", () =>
    run(
      Effect.gen(function* () {
        const model = yield* network
        const trainer = yield* Trainer.make(model, Binary.optimizer)
        const x = tf.fill([4, 2], 100)
        for (let i = 0; i < 20; i++) yield* Trainer.step(trainer, x, (y) => tf.mean(y))
        x.dispose()
        const parameters = Trainer.parameters(trainer)
        const weights = Object.entries(parameters).filter(([name]) => name.endsWith(".weight"))
        expect(weights.length).toBe(2)
        for (const [, weight] of weights) expect(Math.max(...weight.dataSync().map(Math.abs))).toBeLessThanOrEqual(1)
        expect(Layer.read(model).size).toBeGreaterThan(2)
        expect(Optimizer.tensorsOf({ steps: 0, slots: {} })).toEqual([])
      })
    ))
})

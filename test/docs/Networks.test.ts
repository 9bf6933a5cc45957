/**
 * The guide "Networks of one and two bits": its files are compiled and run, are in the guide as they are, and are the networks of
 * `breve train --network`.
 */
import { readdir, readFile } from "node:fs/promises"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Dataset, Digits, Layer } from "breve"
import { Effect, type Scope, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Convolutional from "../../docs/examples/networks/convolutional.ts"
import * as FullyConnected from "../../docs/examples/networks/fully-connected.ts"
import * as OnDigits from "../../docs/examples/networks/residual-on-digits.ts"
import * as Training from "../../docs/examples/networks/training.ts"
import * as Networks from "../../src/cli/Networks.ts"
import * as Recipe from "../../src/cli/Recipe.ts"

const text = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8")
const folder = "docs/examples/networks"
const guide = await text("docs/guide/networks.md")
const digits = Digits.make(1, 300)

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
const lines = (code: string): number => code.trimEnd().split("\n").length

describe("the guide", () => {
  it("shows each file as it is", async () => {
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
    const files = (await readdir(new URL(`../../${folder}`, import.meta.url))).map((file) => `${folder}/${file}`)
    expect(blocks.map(([, path]) => path).sort()).toEqual([...files, "docs/examples/residual.ts"].sort())
  })
  it("names networks that there are", () => {
    const named = [...guide.matchAll(/`(?:--network )?([a-z]{3}-\dw\da)`/g)].map(([, name]) => name)
    expect(named.length).toBeGreaterThan(2)
    for (const name of named) expect(Networks.names).toContain(name)
  })
  it("has networks of no more than 60 lines", async () => {
    for (const file of ["fully-connected.ts", "convolutional.ts"])
      expect(lines(await text(`${folder}/${file}`))).toBeLessThanOrEqual(60)
  })
})

describe("the networks", () => {
  const answers = (network: Layer.Layer, mode: Layer.Mode) =>
    Effect.gen(function* () {
      const x = tf.tensor4d(Dataset.pixels(digits, [0, 1, 2, 3]), [4, 28, 28, 1])
      const y = (yield* Layer.forward(network, x, mode)) as tf.Tensor
      const values = [...y.dataSync()]
      tf.dispose([x, y])
      return values
    })
  it.each([
    ["tfc-1w1a", FullyConnected.tfc1w1a],
    ["tfc-1w2a", FullyConnected.tfc1w2a],
    ["tfc-2w2a", FullyConnected.tfc2w2a],
    ["sfc-1w1a", FullyConnected.sfc1w1a],
    ["sfc-2w2a", FullyConnected.sfc2w2a],
    ["cnv-1w1a", Convolutional.cnv1w1a]
  ] as const)("%s is the one that the command trains", (name, network) =>
    run(
      Effect.gen(function* () {
        const { make } = yield* Networks.find(name)
        const [mine, theirs] = [yield* network, yield* make(digits, 1)]
        expect(mine.cells.map(([cell]) => cell)).toEqual(theirs.cells.map(([cell]) => cell))
        for (const mode of [Layer.training, Layer.evaluation])
          expect(yield* answers(mine, mode)).toEqual(yield* answers(theirs, mode))
      })
    )
  )
  it("learn as with the command", () =>
    run(
      Effect.gen(function* () {
        const [images, held] = [Dataset.slice(digits, 0, 200), Dataset.slice(digits, 200, 300)]
        const accuracies = yield* Stream.runCollect(Training.train(yield* FullyConnected.tfc2w2a, images, held, 4))
        const model = yield* (yield* Networks.find("tfc-2w2a")).make(digits, 1)
        const events = yield* Stream.runCollect(Recipe.train(model, { train: images, test: held, epochs: 4, seed: 1 }))
        const theirs = events.flatMap((e) => (e._tag === "EpochDone" ? [100 * (e.metrics.accuracy ?? 0)] : []))
        expect(accuracies).toHaveLength(4)
        expect(accuracies).toEqual(theirs)
      })
    ))
})

describe("the residual network", () => {
  it("takes less than 40 lines", async () => {
    expect(lines(await text("docs/examples/residual.ts"))).toBeLessThan(40)
  })
  it("learns drawn digits, as the guide says", async () => {
    const [, said] = guide.match(/answers about (\d+)\.\n$/) ?? []
    // products may be rounded otherwise on another machine
    expect(Math.abs((await run(OnDigits.run)) - Number(said))).toBeLessThan(3)
  })
})

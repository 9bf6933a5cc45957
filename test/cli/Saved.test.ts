/** Saved.ts: a network comes back from its file as it was, and every wrong file is told from a right one. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Option, type Scope } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Networks from "../../src/cli/Networks.ts"
import * as NodeFiles from "../../src/cli/NodeFiles.ts"
import * as Saved from "../../src/cli/Saved.ts"
import * as Safetensors from "../../src/exchange/Safetensors.ts"
import * as State from "../../src/nn/State.ts"
import type * as Stored from "../../src/tensor/Stored.ts"

const state = { root: "" }
const at = (name: string): string => join(state.root, name)

beforeAll(async () => {
  state.root = await mkdtemp(join(tmpdir(), "breve-saved-"))
})
afterAll(() => rm(state.root, { recursive: true, force: true }))

const run = <A, E>(program: Effect.Effect<A, E, Scope.Scope | Effect.Services<ReturnType<typeof Saved.read>>>) =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer), Effect.provide(NodeFiles.layer))
  )

const image = { height: 12, width: 10 }

/** The state of a network as it begins. */
const fresh = (name: string, seed: number): Promise<Stored.Tensors> =>
  run(
    Effect.gen(function* () {
      const { make } = yield* Networks.find(name)
      return yield* State.extract(yield* make(image, seed))
    })
  )

describe("a saved network", () => {
  it.each(["mlp-float", "cnn-float", "tfc-2w2a"])(
    "%s comes back with its name, its images and every bit",
    async (name) => {
      const tensors = await fresh(name, 7)
      await writeFile(at(name), Saved.encode(name, image, tensors))
      const read = await run(
        Effect.gen(function* () {
          const saved = yield* Saved.read(at(name))
          return { ...saved, tensors: yield* State.extract(saved.model) }
        })
      )
      expect(read.network.name).toBe(name)
      expect(read.image).toEqual(image)
      expect(read.tensors).toEqual(tensors)
    }
  )

  it("is named by whoever reads it, where the file does not say", async () => {
    const tensors = await fresh("tfc-1w1a", 1)
    await writeFile(at("bare"), Safetensors.encode(tensors, { height: "12", width: "10" }))
    const named = await run(Effect.map(Saved.read(at("bare"), Option.some("TFC-1w1a")), ({ network }) => network.name))
    expect(named).toBe("tfc-1w1a")
    const error = await run(Effect.flip(Saved.read(at("bare"))))
    expect(error).toMatchObject({ _tag: "UnnamedState", file: at("bare") })
    expect(error.message).toMatch(/name it: --network NAME, one of mlp-float/)
  })

  it("is refused with the file, what is wrong with it and the repair", async () => {
    const tensors = await fresh("mlp-float", 1)
    await writeFile(at("mlp"), Saved.encode("mlp-float", image, tensors))
    await writeFile(at("other size"), Saved.encode("mlp-float", { height: 28, width: 28 }, tensors))
    await writeFile(at("short"), Saved.encode("cnn-float", image, tensors))
    await writeFile(at("odd"), Safetensors.encode(tensors, { network: "mlp-float", height: "many" }))
    await writeFile(at("text"), "hello")
    const { "fc3.bias": _, ...lacking } = tensors
    await writeFile(at("lacking"), Saved.encode("mlp-float", image, lacking))
    const extra = { ...tensors, other: tensors["fc3.bias"] as Stored.Stored }
    await writeFile(at("extra"), Saved.encode("mlp-float", image, extra))
    const refused = async (file: string, wanted?: string) => {
      const error = await run(Effect.flip(Saved.read(at(file), Option.fromUndefinedOr(wanted))))
      expect(error.message).toContain(file === "mlp" && wanted === "mpl-float" ? "mpl" : at(file))
      return `${error._tag}: ${error.message}`
    }
    expect(await refused("absent")).toMatch(/^MalformedFile:.*no such file/)
    expect(await refused("text")).toMatch(/^MalformedFile/)
    expect(await refused("mlp", "cnn-float")).toMatch(/^ForeignState:.*says that it is of mlp-float/)
    expect(await refused("mlp", "mpl-float")).toMatch(/^UnknownNetwork:.*did you mean "mlp-float"/)
    expect(await refused("short")).toMatch(/^ForeignState:.*not a state of cnn-float: it lacks conv1\.weight/)
    expect(await refused("other size")).toMatch(
      /^ForeignState:.*"fc1\.weight" should be \[784, 128\], and is \[120, 128\]/
    )
    expect(await refused("lacking")).toMatch(/^ForeignState:.*lacks fc3\.bias;/)
    expect(await refused("extra")).toMatch(/^ForeignState:.*has other, which nothing takes/)
    expect(await refused("odd")).toMatch(/^MalformedFile:.*images have many pixels/)
  })
})

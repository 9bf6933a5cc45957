/**
 * Every kind of layer that the library has is exported, or refused by name and with a reason before anything is written. What is
 * exported computes what the layer does, in onnxruntime and in the evaluator, and is what the page docs/exported.md says.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as OnnxEvaluator from "../../src/exchange/OnnxEvaluator.ts"
import * as OnnxRuntime from "../../src/exchange/OnnxRuntime.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Exported from "../docs/ExportedDocument.ts"
import { leakless, owned, ownedValue } from "../nn/Scoped.ts"
import * as Layers from "./Layers.ts"

/** Words in the source of the layers that look like the name of a kind. */
const kindsInSource = (): ReadonlySet<string> => {
  const folder = new URL("../../src/nn/", import.meta.url)
  const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"))
  const words = texts.flatMap((text) => [...text.matchAll(/"([A-Z][A-Za-z0-9]+)"/g)].map(([, word]) => word as string))
  const others = ["InvalidOptions", "Sequential", "Functional"]
  return new Set(words.filter((word) => !others.includes(word)))
}

const kindOf = (title: string): string => title.replace(/ \(.*/, "")

/** The axes of a value with its channels second, and the way back. */
const toFirst = (rank: number): Array<number> => [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)]
const toLast = (rank: number): Array<number> => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]

/** The farthest that the answer of a file lies from that of the model, beside the largest answer. */
const off = (bytes: Uint8Array, model: Layer.Layer, one: Layers.Case) =>
  Effect.gen(function* () {
    const x = yield* owned(() => Layers.inputOf(one, 8))
    const y = QuantTensor.dequantized(yield* ownedValue(Layer.forward(model, x)))
    const isFirst = x.rank > 3 || (x.rank === 3 && /Conv/.test(one.title ?? ""))
    const there = yield* owned(() => (isFirst ? tf.transpose(x, toFirst(x.rank)) : x.clone()))
    const runtime = yield* OnnxRuntime.OnnxRuntime
    const session = yield* runtime.open(bytes)
    const answer = yield* session.run({ shape: there.shape, data: Float32Array.from(there.dataSync()) })
    const raw = yield* owned(() => tf.tensor(answer.data, [...answer.shape]))
    const theirs = yield* owned(() => (isFirst && raw.rank > 2 ? tf.transpose(raw, toLast(raw.rank)) : raw.clone()))
    expect(theirs.shape).toEqual(y.shape)
    const [a, b] = [y.dataSync(), theirs.dataSync()]
    return Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number)))) / Math.max(...a.map(Math.abs))
  })

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

describe("every kind of layer", () => {
  it("is here", () => {
    expect([...kindsInSource()].sort()).toEqual([...new Set(Object.keys(Layers.cases).map(kindOf))].sort())
  })

  it("stands on the page; if not, run: npm run exported", async () => {
    expect(readFileSync(Exported.file, "utf8")).toBe(await Exported.page())
  })

  for (const [title, one] of Object.entries(Layers.cases))
    it(`${title} is exported${one.to === Layers.nowhere ? " nowhere" : ` as ${one.to}, and computes the same`}`, () =>
      leakless(
        Effect.gen(function* () {
          const { model, kind, layer } = yield* Layers.trained(one)
          expect(kind).toBe(kindOf(title))
          const done: Array<string> = []
          for (const [target, written] of Object.entries(Layers.targets(model, one))) {
            const result = yield* Effect.result(written as Effect.Effect<unknown, Error>)
            if (result._tag === "Success") done.push(target)
            else {
              expect(result.failure).toMatchObject({ _tag: "NotExportable", layer, kind })
              const { reason } = result.failure as unknown as { readonly reason: string }
              expect(reason.length).toBeGreaterThan(15)
              if (one.to === Layers.nowhere)
                expect(reason).toMatch(/quantizes (within every step|between its products)/)
            }
          }
          expect(done.join(" ")).toBe(one.to)
          const titled = { ...one, title }
          for (const opset of [13, 17, 21] as const) {
            const { qcdq, qonnx } = Layers.targets(model, one, opset)
            if (one.to.includes("qcdq")) {
              const bytes = yield* qcdq
              const inRuntime = Effect.scoped(off(bytes, model, titled))
              expect(yield* Effect.provide(inRuntime, OnnxRuntime.layerWith({ optimize: "disabled" }))).toBeLessThan(
                1e-5
              )
              expect(yield* Effect.provide(inRuntime, OnnxEvaluator.layer)).toBeLessThan(1e-5)
            }
            if (one.to.includes("qonnx"))
              expect(
                yield* Effect.provide(Effect.scoped(off(yield* qonnx, model, titled)), OnnxEvaluator.layer)
              ).toBeLessThan(1e-5)
          }
        }) as Effect.Effect<void, never, Scope.Scope>
      ))
})

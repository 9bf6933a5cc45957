/** The guide "What an import weighs": its file is in the guide as it is, and computes what the entry of the catalogue does. */
import { readFile } from "node:fs/promises"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Injector, ScaledInt, TensorQuantizer } from "breve"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Int8Weight } from "../../docs/examples/bundles/quantizer.ts"

const text = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8")

describe("a quantizer of chosen parts", () => {
  it("is in the guide as it is", async () => {
    const guide = await text("docs/guide/bundles.md")
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)]
    expect(blocks.map(([, path]) => path)).toEqual(["docs/examples/bundles/quantizer.ts"])
    for (const [, path, code] of blocks) expect(code, path).toBe(await text(path as string))
  })
  it("computes what the entry does, bit for bit, gradients too", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        yield* Backend.Backend
        const x = tf.tensor2d([0.3, -1.7, 0.01, 2.2, -0.9, 0], [2, 3])
        const module = { weight: x, outputChannelAxis: 1 }
        const looked = (declaration: Injector.Any) =>
          Effect.map(Injector.resolveUnknown(declaration, ["tensorQuant"], { module }), ({ tensorQuant }) => {
            const quantizer = tensorQuant as TensorQuantizer.TensorQuantizer
            const { value, scale, zeroPoint, bitWidth } = TensorQuantizer.quantize(quantizer, x)
            const slope = tf.grad((y: tf.Tensor) => tf.sum(tf.square(TensorQuantizer.quantize(quantizer, y).value)))(x)
            return [value, scale, zeroPoint, bitWidth, slope].map((t) => ({ shape: t.shape, data: [...t.dataSync()] }))
          })
        const entry = yield* looked(ScaledInt.Int8WeightPerTensorFloat)
        expect(yield* looked(Int8Weight)).toEqual(entry)
        expect(new Set(entry[0]?.data).size).toBe(6)
      }).pipe(Effect.scoped, Effect.provide(Backend.layer))
    ))
})

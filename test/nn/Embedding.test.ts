import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { expect } from "vitest"
import * as Embedding from "../../src/nn/Embedding.ts"
import type * as Layer from "../../src/nn/Layer.ts"
import * as State from "../../src/nn/State.ts"
import { answer, near, numbers, onBackends, owned, quantized, refusal, scoped, trained } from "./Scoped.ts"

const size = { numEmbeddings: 4, embeddingDim: 2 }
const table = [0.5, -2, 7, 1.2, -3.4, 0, 2.6, 5]

onBackends("quantized tables", () => {
  scoped("rows of the quantized table, integers too", () =>
    Effect.gen(function* () {
      const layer = yield* Embedding.quantEmbedding({ ...size, weight: { bitWidth: 4 }, returnQuantTensor: true })
      yield* State.load(layer, { weight: yield* owned(() => tf.tensor2d(table, [4, 2])) }, "float")
      const x = yield* owned(() => tf.tensor2d([3, 0, 1, 3, 3, 2], [2, 3], "int32"))
      const y = yield* quantized(layer, x)
      // narrow 4 bits, the largest magnitude 7 gives the scale 1; ties go to the even one
      const rows = [0, -2, 7, 1, -3, 0, 3, 5]
      const wanted = [3, 0, 1, 3, 3, 2].flatMap((row) => [rows[2 * row] as number, rows[2 * row + 1] as number])
      expect([y.value.shape, y.integers, numbers(y.scale)]).toEqual([[2, 3, 2], wanted, [1]])
    })
  )

  scoped("of no indices it is empty, and one alone is a row", () =>
    Effect.gen(function* () {
      const layer = yield* Embedding.quantEmbedding({ ...size, weightQuant: null })
      yield* State.load(layer, { weight: yield* owned(() => tf.tensor2d(table, [4, 2])) }, "float")
      expect(yield* answer(layer, yield* owned(() => tf.zeros([0, 3], "int32")))).toEqual([])
      near(yield* answer(layer, yield* owned(() => tf.scalar(2, "int32"))), [-3.4, 0])
    })
  )

  scoped("indices that are not in the table are refused by the layer's name", () =>
    Effect.gen(function* () {
      const layer = yield* Embedding.quantEmbedding(size)
      for (const index of [4, -1]) {
        const x = yield* owned(() => tf.tensor1d([0, index], "int32"))
        const error = yield* refusal(layer, x)
        expect(error).toMatchObject({ _tag: "InvalidOptions", what: "QuantEmbedding", option: "indices" })
        expect(error.message).toContain(String(index))
      }
      const half = yield* owned(() => tf.tensor1d([0.5]))
      expect(yield* refusal(layer, half)).toMatchObject({ _tag: "InvalidOptions", option: "indices" })
      const plain = yield* Embedding.quantEmbedding({ ...size, weightQuant: null, returnQuantTensor: true })
      const x = yield* owned(() => tf.tensor1d([0], "int32"))
      expect(yield* refusal(plain, x)).toMatchObject({ _tag: "MissingInput" })
    })
  )

  scoped("options that cannot be are refused when the layer is made", () =>
    Effect.gen(function* () {
      for (const [option, value] of [
        ["numEmbeddings", 0],
        ["embeddingDim", 1.5],
        ["paddingIndex", 4],
        ["paddingIndex", -1]
      ] as const)
        expect(yield* Effect.flip(Embedding.quantEmbedding({ ...size, [option]: value }))).toMatchObject({
          _tag: "InvalidOptions",
          option
        })
    })
  )

  scoped("what is looked up trains, and the padding stays 0", () =>
    Effect.gen(function* () {
      const layer = yield* Embedding.quantEmbedding({ ...size, paddingIndex: 1 })
      const x = yield* owned(() => tf.tensor1d([0, 1, 0, 3], "int32"))
      const weights = Effect.map(State.parameters(layer), ({ weight }) => numbers(weight as tf.Tensor))
      const before = yield* weights
      const losses = yield* trained(layer as unknown as Layer.Layer, x, 8, 0.5)
      const after = yield* weights
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2)
      expect(after.slice(2, 4)).toEqual([0, 0])
      expect(after[0]).not.toBe(before[0])
    })
  )
})

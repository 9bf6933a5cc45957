import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as Activation from "../../src/nn/Activation.ts"
import * as Elementwise from "../../src/nn/Elementwise.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import { wholes } from "../op/NaiveConvolution.ts"
import { answer, leakless, near, numbers, onBackends, owned, quantized, refusal, scoped, trained } from "./Scoped.ts"

const plain = { inputQuant: null, outputQuant: null } as const
const both = (a: Array<number>, b: Array<number>) =>
  Effect.all([owned(() => tf.tensor1d(a)), owned(() => tf.tensor1d(b))] as const)

onBackends("sums and concatenations", () => {
  scoped("by hand: both inputs on one grid, then the sum on its own", () =>
    Effect.gen(function* () {
      const add = yield* Elementwise.quantEltwiseAdd({ input: { bitWidth: 3 }, output: { bitWidth: 2 } })
      const xs = yield* both([0.1, 0.4, -9], [0.15, 0.65, -0.25])
      // inputs in steps of 1 / 4 from -1 to 3 / 4: 0 + 1 / 4, 1 / 2 + 3 / 4, -1 - 1 / 4; sums in steps of 1 / 2 from -1 to 1 / 2
      near(yield* answer(add, xs), [0, 0.5, -1])
    })
  )

  it("integers of a sum are the sums of integers, with a bit to hold them", () =>
    fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 9 }), (seed, length) =>
        leakless(
          Effect.gen(function* () {
            const add = yield* Elementwise.quantEltwiseAdd({ outputQuant: null, returnQuantTensor: true })
            const [a, b] = yield* both(
              wholes(length, seed).map((x) => x / 16),
              wholes(length, ~seed).map((x) => x / 16)
            )
            const sum = yield* quantized(add, [a, b] as const)
            const steps = (x: tf.Tensor): ReadonlyArray<number> =>
              numbers(x).map((v) => Math.max(-128, Math.min(127, Math.round(v * 128))))
            expect(sum.integers).toEqual(steps(a).map((v, i) => v + (steps(b)[i] as number)))
            expect([numbers(sum.bitWidth), sum.signed]).toEqual([[9], true])
          })
        )
      ),
      { numRuns: 25 }
    ))

  scoped("integers side by side keep their format", () =>
    Effect.gen(function* () {
      const cat = yield* Elementwise.quantCat({ outputQuant: null, returnQuantTensor: true })
      const [a, b] = [yield* owned(() => tf.tensor2d([[0.5], [-0.25]])), yield* owned(() => tf.ones([2, 2]))]
      const y = yield* quantized(cat, [a, b])
      expect([y.value.shape, y.integers, numbers(y.bitWidth)]).toEqual([[2, 3], [64, 127, 127, -32, 127, 127], [8]])
      const rows = yield* Elementwise.quantCat({ ...plain, axis: 0 })
      expect((yield* answer(rows, [a, a, a])).length).toBe(6)
      expect(yield* answer(rows, [a])).toEqual([0.5, -0.25])
    })
  )

  scoped("without quantizers they are what they are called", () =>
    Effect.gen(function* () {
      const add = yield* Elementwise.quantEltwiseAdd(plain)
      const row = yield* owned(() => tf.tensor2d([[1, 2]]))
      const column = yield* owned(() => tf.tensor2d([[10], [Number.NaN]]))
      expect(yield* answer(add, [row, column] as const)).toEqual([11, 12, Number.NaN, Number.NaN])
      const none = yield* owned(() => tf.zeros([0, 2]))
      expect(yield* answer(add, [none, none] as const)).toEqual([])
      expect(add.proxies).toEqual([])
    })
  )

  scoped("quantized inputs that are not quantized again must lie on one grid", () =>
    Effect.gen(function* () {
      const [add, cat] = [
        yield* Elementwise.quantEltwiseAdd({ ...plain, returnQuantTensor: true }),
        yield* Elementwise.quantCat({ ...plain, returnQuantTensor: true })
      ]
      const fine = yield* Activation.quantIdentity({ returnQuantTensor: true })
      const coarse = yield* Activation.quantIdentity({ act: { bitWidth: 4 }, returnQuantTensor: true })
      const x = yield* owned(() => tf.tensor1d([0.5, -1]))
      const [a, b] = [yield* quantized(fine, x), yield* quantized(coarse, x)]
      expect((yield* quantized(add, [a, a] as const)).integers).toEqual([128, -256])
      for (const mode of [Layer.evaluation, Layer.training]) {
        expect(yield* refusal(add, [a, b] as const, mode)).toMatchObject({ _tag: "ScaleMismatch" })
        expect(yield* refusal(cat, [a, b], mode)).toMatchObject({ _tag: "ScaleMismatch" })
      }
      // the plain ones have no format to answer with
      expect(yield* refusal(add, [x, x] as const)).toMatchObject({
        _tag: "MissingInput",
        quantizer: "the output of QuantEltwiseAdd, asked for as a quant tensor"
      })
    })
  )

  scoped("shapes that do not fit are refused", () =>
    Effect.gen(function* () {
      const [add, cat] = [yield* Elementwise.quantEltwiseAdd(), yield* Elementwise.quantCat()]
      const [a, b] = [yield* owned(() => tf.ones([2, 3])), yield* owned(() => tf.ones([4, 2]))]
      expect(yield* refusal(add, [a, b] as const)).toMatchObject({ _tag: "ShapeMismatch", actual: [4, 2] })
      expect(yield* refusal(cat, [a, b])).toMatchObject({ _tag: "ShapeMismatch", actual: [4, 2] })
      expect(yield* refusal(cat, [])).toMatchObject({ _tag: "ShapeMismatch" })
    })
  )

  scoped("while their quantizer collects, both inputs take the mean of their scales", () =>
    Effect.gen(function* () {
      const add = yield* Elementwise.quantEltwiseAdd({
        input: { collectStatsSteps: 4 },
        outputQuant: null,
        returnQuantTensor: true
      })
      const [a, b] = yield* both([1, -0.5], [3, 0.5])
      const y = yield* Effect.acquireRelease(Layer.forward(add, [a, b] as const, Layer.training), (y) =>
        Effect.sync(() => QuantTensor.dispose(y))
      )
      near(numbers((y as QuantTensor.QuantTensor).scale), [2 / 128])
    })
  )

  scoped("a residual sum trains", () =>
    Effect.gen(function* () {
      const model = Model.functional(
        {
          linear: yield* Linear.quantLinear({ inFeatures: 3, outFeatures: 3 }),
          add: yield* Elementwise.quantEltwiseAdd({ input: { collectStatsSteps: 2 }, output: { collectStatsSteps: 2 } })
        },
        (layer, x: Layer.Value) => layer.add([layer.linear(x), x])
      )
      const x = yield* owned(() => tf.tensor2d([[1, -0.5, 0.25]]))
      const losses = yield* trained(model, x, 12, 0.3)
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2)
    })
  )
})

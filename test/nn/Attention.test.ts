import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Optimizer from "../../src/core/Optimizer.ts"
import * as QuantTensor from "../../src/core/QuantTensor.ts"
import * as PyTorch from "../../src/exchange/PyTorch.ts"
import * as Attention from "../../src/nn/Attention.ts"
import * as Frozen from "../../src/nn/Frozen.ts"
import * as Layer from "../../src/nn/Layer.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as Model from "../../src/nn/Model.ts"
import * as ScaledDotProduct from "../../src/nn/ScaledDotProduct.ts"
import * as State from "../../src/nn/State.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import * as Stored from "../../src/tensor/Stored.ts"
import * as Trainer from "../../src/train/Trainer.ts"
import * as Naive from "./NaiveSequence.ts"

const scopedTest = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it(name, async () => {
    const before = tf.memory().numTensors
    await Effect.runPromise(Effect.scoped(Effect.suspend(body)))
    expect(tf.memory().numTensors).toBe(before)
  })

const owned = <T extends tf.Tensor>(make: () => T): Effect.Effect<T, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (tensor) => Effect.sync(() => tensor.dispose()))
const numbers = (tensor: tf.Tensor): ReadonlyArray<number> => Array.from(tensor.dataSync())
const noise = (shape: ReadonlyArray<number>, from = 0): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => Math.sin((i + from) * 12.9898) * 0.9),
    [...shape]
  )
const given = (shape: ReadonlyArray<number>, from = 0) => owned(() => noise(shape, from))
const truths = (shape: ReadonlyArray<number>, where: (i: number) => boolean) =>
  owned(() =>
    tf.tensor(
      Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => where(i)),
      [...shape],
      "bool"
    )
  )

const near = (actual: ReadonlyArray<number> | undefined, expected: ReadonlyArray<number>, digits = 5): void => {
  expect(actual?.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, digits)
}

/** What a layer answers as numbers; the answer is disposed. */
const answered = (layer: Layer.Layer<any, Attention.Output>, x: Attention.Input, mode?: Layer.Mode) =>
  Effect.map(Layer.forward(layer, x, mode), ({ output, weights }) => {
    const values = { output: numbers(QuantTensor.dequantized(output)), weights: numbers(weights as tf.Tensor) }
    tf.dispose([...Layer.tensorsIn({ output, weights })])
    return values
  })
const single = <In>(layer: Layer.Layer<In>, x: In) =>
  Effect.map(Layer.forward(layer, x), (y) => {
    const values = numbers(QuantTensor.dequantized(y))
    tf.dispose([...Layer.tensorsIn(y)])
    return values
  })

const innerOff = {
  softmaxInputQuant: null,
  attnOutputWeightsQuant: null,
  qScaledQuant: null,
  kTransposedQuant: null,
  vQuant: null
} as const
const allOff = {
  ...innerOff,
  inProjInputQuant: null,
  inProjWeightQuant: null,
  inProjBiasQuant: null,
  outProjInputQuant: null,
  outProjWeightQuant: null,
  outProjBiasQuant: null
} as const

const sequencesOf = (x: tf.Tensor): Array<Naive.Matrix> => (x as tf.Tensor3D).arraySync()
const rows = (x: Naive.Matrix, weight: tf.Tensor, bias?: tf.Tensor): Naive.Matrix =>
  x.map((row) =>
    Naive.product(row, (weight as tf.Tensor2D).arraySync()).map(
      (y, j) => y + (bias === undefined ? 0 : (numbers(bias)[j] as number))
    )
  )
const columns = (x: Naive.Matrix, from: number, to: number): Naive.Matrix => x.map((row) => row.slice(from, to))

/** Attention of two heads with 2 features each over projected sequences, and its mean weights. */
const twoHeads = (
  [q, k, v]: readonly [Naive.Matrix, Naive.Matrix, Naive.Matrix],
  mask?: (head: number, query: number, key: number) => number
) => {
  const heads = [0, 1].map((h) => {
    const [a, b, c] = [q, k, v].map((x) => columns(x, 2 * h, 2 * h + 2)) as [Naive.Matrix, Naive.Matrix, Naive.Matrix]
    return Naive.attended(a, b, c, 1 / Math.sqrt(2), mask && ((i, j) => mask(h, i, j)))
  })
  const [first, second] = heads as [(typeof heads)[number], (typeof heads)[number]]
  return {
    output: first.output.map((row, i) => [...row, ...(second.output[i] as Naive.Row)]),
    weights: first.weights.map((row, i) => row.map((w, j) => (w + ((second.weights[i] as Naive.Row)[j] as number)) / 2))
  }
}

for (const [backend, started] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`attention on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, started, { local: true }))))

    scopedTest("two heads of one sequence, in either layout, are what a loop over numbers computes", () =>
      Effect.gen(function* () {
        const layer = yield* Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2, ...allOff })
        const bias = yield* given([12], 3)
        yield* State.load(layer, { "inProj.bias": bias })
        const x = yield* given([2, 3, 4])
        const y = yield* answered(layer, x)
        const parameters = yield* State.parameters(layer)
        const expected = sequencesOf(x).map((sequence) => {
          const projected = rows(sequence, parameters["inProj.weight"] as tf.Tensor, bias)
          const [q, k, v] = [0, 4, 8].map((at) => columns(projected, at, at + 4)) as [
            Naive.Matrix,
            Naive.Matrix,
            Naive.Matrix
          ]
          const { output, weights } = twoHeads([q, k, v])
          return { output: rows(output, parameters["outProj.weight"] as tf.Tensor), weights }
        })
        near(
          y.output,
          expected.flatMap(({ output }) => output.flat())
        )
        near(
          y.weights,
          expected.flatMap(({ weights }) => weights.flat())
        )
        const turned = yield* owned(() => tf.transpose(x, [1, 0, 2]))
        const steps = yield* Attention.quantMultiheadAttention({
          embedDim: 4,
          numHeads: 2,
          batchFirst: false,
          ...allOff
        })
        yield* State.load(steps, { "inProj.bias": bias })
        const other = yield* answered(steps, turned)
        near(
          other.output,
          [0, 1, 2].flatMap((l) => expected.flatMap(({ output }) => output[l] ?? []))
        )
        near(other.weights, y.weights)
      })
    )

    scopedTest("queries of other keys and values, with every kind of mask", () =>
      Effect.gen(function* () {
        const options = { embedDim: 4, numHeads: 2, kdim: 3, vdim: 5, hasBias: false, averageWeights: false } as const
        const layer = yield* Attention.quantMultiheadAttention({ ...options, ...allOff })
        const [query, key, value] = [yield* given([2, 3, 4]), yield* given([2, 4, 3], 40), yield* given([2, 4, 5], 80)]
        const keyPaddingMask = yield* truths([2, 4], (i) => i === 3)
        const attnMask = yield* given([4, 3, 4], 120)
        const y = yield* answered(layer, { query, key, value, keyPaddingMask, attnMask })
        const parameters = yield* State.parameters(layer)
        const projected = (x: tf.Tensor, name: string) =>
          sequencesOf(x).map((one) => rows(one, parameters[`${name}.weight`] as tf.Tensor))
        const [q, k, v] = [projected(query, "qProj"), projected(key, "kProj"), projected(value, "vProj")]
        const added = sequencesOf(attnMask)
        const expected = [0, 1].map((n) =>
          twoHeads([q[n], k[n], v[n]] as unknown as [Naive.Matrix, Naive.Matrix, Naive.Matrix], (h, i, j) =>
            n === 0 && j === 3 ? Number.NEGATIVE_INFINITY : (added[2 * n + h]?.[i]?.[j] as number)
          )
        )
        near(
          y.output,
          expected.flatMap(({ output }) => rows(output, parameters["outProj.weight"] as tf.Tensor).flat())
        )
        expect(y.weights.length).toBe(2 * 2 * 3 * 4)
        // nobody sees the padded key
        expect(y.weights.slice(0, 24).filter((_, i) => i % 4 === 3)).toEqual([0, 0, 0, 0, 0, 0])
      })
    )

    scopedTest("a causal layer is one with a mask above the diagonal", () =>
      Effect.gen(function* () {
        const sizes = { embedDim: 4, numHeads: 2 } as const
        const [causal, plain] = [
          yield* Attention.quantMultiheadAttention({ ...sizes, isCausal: true }),
          yield* Attention.quantMultiheadAttention(sizes)
        ]
        const query = yield* given([1, 3, 4])
        const attnMask = yield* truths([3, 3], (i) => i % 3 > Math.floor(i / 3))
        const y = yield* answered(causal, query, Layer.training)
        expect(yield* answered(plain, { query, attnMask }, Layer.training)).toEqual(y)
        expect(y.weights.filter((_, i) => i % 3 > Math.floor(i / 3))).toEqual([0, 0, 0])
      })
    )

    scopedTest("walls stand after the quantizer of the scores: it sees no infinities, and they hold", () =>
      Effect.gen(function* () {
        const layer = yield* Attention.quantMultiheadAttention({
          embedDim: 4,
          numHeads: 2,
          isCausal: true,
          softmaxInputQuant: ScaledInt.Int8ActPerTensorFloat,
          softmaxInput: { collectStatsSteps: 1 }
        })
        const x = yield* given([2, 3, 4])
        const infinite = yield* owned(() =>
          tf.tensor2d([0, -1, 0, 0, Number.NEGATIVE_INFINITY, 0, 0, 0, 0].map(Number), [3, 3])
        )
        yield* answered(layer, { query: x, attnMask: infinite }, Layer.training)
        const { weights } = yield* answered(layer, { query: x, attnMask: infinite })
        expect(weights.every(Number.isFinite)).toBe(true)
        expect([1, 2, 4, 5].map((i) => weights[i])).toEqual([0, 0, 0, 0])
      })
    )

    scopedTest("a learned key and value and a zero one stand behind every sequence", () =>
      Effect.gen(function* () {
        const options = { embedDim: 4, numHeads: 2, packedInProj: false, hasBias: false } as const
        const layer = yield* Attention.quantMultiheadAttention({
          ...options,
          addBiasKv: true,
          addZeroAttn: true,
          ...allOff
        })
        const x = yield* given([1, 2, 4])
        const attnMask = yield* truths([2, 2], (i) => i === 1)
        const y = yield* answered(layer, { query: x, attnMask })
        const parameters = yield* State.parameters(layer)
        const [sequence] = sequencesOf(x) as [Naive.Matrix]
        const [q, k, v] = ["qProj", "kProj", "vProj"].map((name) =>
          rows(sequence, parameters[`${name}.weight`] as tf.Tensor)
        )
        const behind = (name: string) => [numbers(parameters[name] as tf.Tensor), [0, 0, 0, 0]]
        const expected = twoHeads(
          [
            q as Naive.Matrix,
            [...(k as Naive.Matrix), ...behind("biasK")],
            [...(v as Naive.Matrix), ...behind("biasV")]
          ],
          (_, i, j) => (i === 0 && j === 1 ? Number.NEGATIVE_INFINITY : 0)
        )
        near(y.output, rows(expected.output, parameters["outProj.weight"] as tf.Tensor).flat())
        near(y.weights, expected.weights.flat())
      })
    )

    scopedTest("scaled dot products with known steps: the loop with every quantizer", () =>
      Effect.gen(function* () {
        const signed = { quant: ScaledInt.Int8ActPerTensorFloatMinMaxInit, range: { minVal: -1, maxVal: 1 } } as const
        const layer = yield* ScaledDotProduct.quantScaledDotProductAttention({
          scale: 0.5,
          qScaledQuant: signed.quant,
          qScaled: signed.range,
          kTransposedQuant: signed.quant,
          kTransposed: signed.range,
          vQuant: signed.quant,
          v: signed.range,
          attnOutputWeightsQuant: ScaledInt.Uint8ActPerTensorFloatMaxInit,
          attnOutputWeights: { maxVal: 1 }
        })
        const [query, key, value] = [yield* given([2, 3, 4]), yield* given([2, 5, 4], 50), yield* given([2, 5, 3], 90)]
        const attnMask = yield* truths([3, 5], (i) => i % 4 !== 2)
        const y = yield* single(layer, { query, key, value, attnMask })
        const step = Naive.stepped(1 / 128)
        const quants = { q: step, k: step, v: step, weights: Naive.stepped(1 / 255, 0, 255) }
        const seen = (i: number, j: number): number => ((i * 5 + j) % 4 !== 2 ? 0 : Number.NEGATIVE_INFINITY)
        const [q, k, v] = [query, key, value].map(sequencesOf) as [
          Array<Naive.Matrix>,
          Array<Naive.Matrix>,
          Array<Naive.Matrix>
        ]
        const expected = q.map((one, n) =>
          Naive.attended(one, k[n] as Naive.Matrix, v[n] as Naive.Matrix, 0.5, seen, quants)
        )
        near(
          y,
          expected.flatMap(({ output }) => output.flat())
        )
      })
    )

    scopedTest("a gradient reaches a mask of floats", () =>
      Effect.gen(function* () {
        const layer = yield* ScaledDotProduct.quantScaledDotProductAttention(innerOff)
        const [query, key, value] = [yield* given([1, 2, 2]), yield* given([1, 2, 2], 5), yield* given([1, 2, 2], 9)]
        const mask = yield* owned(() => tf.tensor2d([0.1, Number.NEGATIVE_INFINITY, 0.3, -0.2], [2, 2]))
        const states = Layer.read(layer)
        const gradient = yield* owned(() =>
          tf.grad((attnMask: tf.Tensor) =>
            tf.sum(tf.square(layer.apply(states, { query, key, value, attnMask }, Layer.evaluation)[0] as tf.Tensor))
          )(mask)
        )
        const [a, b, c, d] = numbers(gradient) as [number, number, number, number]
        // the first query sees one key only; the slopes of a softmax sum to 0
        near([a, b], [0, 0])
        expect(Math.abs(c)).toBeGreaterThan(0.01)
        expect(c + d).toBeCloseTo(0, 5)
      })
    )

    scopedTest("training lowers the loss with dropout, and gives the same bits again", () =>
      Effect.gen(function* () {
        const run = Effect.scoped(
          Effect.gen(function* () {
            const c = { collectStatsSteps: 3 } as const
            const attention = yield* Attention.quantMultiheadAttention({
              embedDim: 4,
              numHeads: 2,
              dropout: 0.1,
              inProjInput: c,
              attnOutputWeights: c,
              qScaled: c,
              kTransposed: c,
              v: c,
              outProjInput: c
            })
            const out = yield* Linear.quantLinear({ inFeatures: 4, outFeatures: 1 })
            const model = Model.functional({ attention, out }, (layer, x: Layer.Value) =>
              layer.out(layer.attention(x).output)
            )
            const trainer = yield* Trainer.make(model, Optimizer.adam(0.05))
            const x = yield* given([4, 3, 4])
            const target = yield* owned(() =>
              tf.tidy(() => tf.broadcastTo(tf.max(tf.slice(x, [0, 0, 0], [-1, -1, 1]), 1, true), [4, 3, 1]))
            )
            const losses: Array<number> = []
            for (let i = 0; i < 25; i++)
              losses.push(yield* Trainer.step(trainer, x, (y) => tf.mean(tf.square(tf.sub(y, target)))))
            return losses
          })
        )
        const losses = yield* run
        expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2)
        expect(yield* run).toEqual(losses)
      })
    )

    scopedTest("frozen it answers the same bits; without quantization it is the float layer", () =>
      Effect.gen(function* () {
        const sizes = { embedDim: 4, numHeads: 2 } as const
        const layer = yield* Attention.quantMultiheadAttention(sizes)
        const float = yield* Attention.quantMultiheadAttention({ ...sizes, ...allOff })
        const x = yield* given([2, 3, 4])
        yield* answered(layer, x, Layer.training)
        const now = yield* answered(layer, x)
        const frozen = yield* Frozen.make(layer)
        expect(yield* answered(frozen, x)).toEqual(now)
        const plain = yield* answered(layer, x, Layer.without(Layer.evaluation))
        expect(plain).toEqual(yield* answered(float, x))
        expect(plain).not.toEqual(now)
      })
    )

    scopedTest("quant tensors: the output's format, where it has one", () =>
      Effect.gen(function* () {
        const layer = yield* Attention.quantMultiheadAttention({ embedDim: 4, numHeads: 2, returnQuantTensor: true })
        const x = yield* given([2, 3, 4])
        tf.dispose([...Layer.tensorsIn(yield* Layer.forward(layer, x, Layer.training))])
        const y = yield* Layer.forward(layer, x)
        if (!QuantTensor.isQuantTensor(y.output)) throw new Error("plain")
        expect(QuantTensor.isValid(y.output)).toBe(true)
        tf.dispose([...Layer.tensorsIn(y)])
      })
    )

    scopedTest("a query that may see no key, and NaN, are NaN in their own rows only", () =>
      Effect.gen(function* () {
        const layer = yield* ScaledDotProduct.quantScaledDotProductAttention(innerOff)
        const [key, value] = [yield* given([1, 2, 2], 5), yield* given([1, 2, 2], 9)]
        const query = yield* owned(() => tf.tensor3d([1, 2, Number.NaN, 1, 0, 1], [1, 3, 2]))
        const attnMask = yield* truths([3, 2], (i) => i < 4)
        const y = yield* single(layer, { query, key, value, attnMask })
        expect(y.map(Number.isNaN)).toEqual([false, false, true, true, true, true])
      })
    )

    scopedTest("adopts PyTorch's float attention, packed or not, and is written as Brevitas does", () =>
      Effect.gen(function* () {
        const stored = (shape: ReadonlyArray<number>, from: number) => {
          const made = noise(shape, from)
          const bytes = Stored.fromTensor(made)
          made.dispose()
          return bytes
        }
        const dict = {
          in_proj_weight: stored([12, 4], 0),
          in_proj_bias: stored([12], 50),
          "out_proj.weight": stored([4, 4], 70),
          "out_proj.bias": stored([4], 90)
        }
        const sizes = { embedDim: 4, numHeads: 2, ...allOff } as const
        const packed = yield* Attention.quantMultiheadAttention(sizes)
        const apart = yield* Attention.quantMultiheadAttention({ ...sizes, packedInProj: false })
        for (const layer of [packed, apart]) {
          const { missing, unexpected } = yield* PyTorch.load(layer, dict, "strict")
          expect([missing, unexpected]).toEqual([[], []])
        }
        const parameters = yield* State.parameters(apart)
        // rows 4 to 7 there, transposed
        const weight = Stored.floats(dict.in_proj_weight)
        expect(numbers(parameters["kProj.weight"] as tf.Tensor)).toEqual(
          [0, 1, 2, 3].flatMap((i) => [4, 5, 6, 7].map((o) => weight[o * 4 + i]))
        )
        const x = yield* given([2, 3, 4])
        const [a, b] = [yield* answered(packed, x), yield* answered(apart, x)]
        near(a.output, b.output)
        const written = yield* PyTorch.toStateDict(apart)
        expect(Object.keys(written).toSorted()).toEqual(
          ["k_proj", "out_proj", "q_proj", "v_proj"].flatMap((name) => [`${name}.bias`, `${name}.weight`])
        )
        expect([...Stored.floats(written["k_proj.weight"] as Stored.Stored)]).toEqual([...weight.slice(16, 32)])
      })
    )

    scopedTest("what does not fit is refused, with names and shapes", () =>
      Effect.gen(function* () {
        const refused = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
          Effect.map(Effect.flip(effect), (error) => String((error as Error).message))
        const sizes = { embedDim: 4, numHeads: 2 } as const
        expect(yield* refused(Attention.quantMultiheadAttention({ ...sizes, numHeads: 3 }))).toMatch(
          /"numHeads".*divide the 4/
        )
        expect(yield* refused(Attention.quantMultiheadAttention({ ...sizes, kdim: 3, packedInProj: true }))).toMatch(
          /"packedInProj"/
        )
        expect(yield* refused(Attention.quantMultiheadAttention({ ...sizes, dropout: 1 }))).toMatch(/"probability"/)
        expect(yield* refused(ScaledDotProduct.quantScaledDotProductAttention({ returnQuantTensor: true }))).toMatch(
          /sdpaOutputQuant/
        )
        const layer = yield* Attention.quantMultiheadAttention(sizes)
        const [query, key] = [yield* given([2, 3, 4]), yield* given([2, 5, 4])]
        expect(yield* refused(Layer.forward(layer, { query, key }))).toMatch(/packedInProj: false/)
        expect(yield* refused(Layer.forward(layer, yield* given([2, 3, 5])))).toBe(
          "the query of QuantMultiheadAttention: expected shape [2, 3, 4], got [2, 3, 5]"
        )
        const attnMask = yield* given([3, 4])
        expect(yield* refused(Layer.forward(layer, { query, attnMask }))).toBe(
          "the attnMask of QuantMultiheadAttention: expected shape [3, 3] or [4, 3, 3], got [3, 4]"
        )
        const dots = yield* ScaledDotProduct.quantScaledDotProductAttention({})
        expect(yield* refused(Layer.forward(dots, { query, key, value: query }))).toMatch(
          /the value of .* \[2, 5, any\], got \[2, 3, 4\]/
        )
        const never = () => {
          // @ts-expect-error misspelt
          Attention.quantMultiheadAttention({ ...sizes, numhead: 2 })
          // @ts-expect-error a width is a number
          Attention.quantMultiheadAttention({ ...sizes, vQuant: ScaledInt.Int8ActPerTensorFloat, v: { bitWidth: "4" } })
        }
        expect(never).toBeTypeOf("function")
      })
    )
  })

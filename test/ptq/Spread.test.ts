import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as GpfqMath from "../../src/ptq/GpfqMath.ts"
import * as GptqMath from "../../src/ptq/GptqMath.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import * as Spread from "../../src/ptq/Spread.ts"
import * as Random from "../../src/tensor/Random.ts"

const drawn = (rows: number, columns: number, seed: number): Matrix.Matrix =>
  Matrix.make(rows, columns, Random.normal(Random.make(seed), rows * columns, 0, 1))

const [outputs, inputs] = [96, 200]
const weight = drawn(outputs, inputs, 1)

/** `X^T Y / n`. */
const covariance = (x: Matrix.Matrix, y: Matrix.Matrix): Matrix.Matrix => {
  const sums = Matrix.product(Matrix.transpose(x), y)
  return { ...sums, data: sums.data.map((value) => value / x.rows) }
}
const x = drawn(300, inputs, 2)
const coarse = { ...x, data: x.data.map((value) => Math.round(4 * value) / 4) }
const quantized = covariance(coarse, coarse)
const mixed = covariance(coarse, x)

const quantize = (_: number, values: Float64Array): Float64Array =>
  values.map((value) => Math.fround(Math.min(7, Math.max(-7, Math.round(value / 0.4))) * 0.4))

/** `|X (W - V)^T|^2` over the number of samples. */
const loss = (v: Matrix.Matrix): number => {
  const e = { ...v, data: v.data.map((value, i) => (weight.data[i] as number) - value) }
  return Matrix.product(e, quantized).data.reduce((sum, value, i) => sum + value * (e.data[i] as number), 0)
}

/** The part of all elements that are the same. */
const agreement = (a: Matrix.Matrix, b: Matrix.Matrix): number =>
  a.data.filter((value, i) => Math.abs(value - (b.data[i] as number)) < 1e-6).length / a.data.length

const run = <A>(f: () => A): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = f()
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

describe("Spread", () => {
  it("columns and back", () => {
    const order = Array.from({ length: inputs }, (_, i) => (i * 7) % inputs)
    expect(Spread.weightOf(Spread.columnsOf(weight, order), order)).toEqual(weight)
  })

  it("by products on the backend as one by one in double precision, ties apart", () =>
    run(() => {
      for (const actOrder of [false, true]) {
        const at = (blockSize: number): Matrix.Matrix =>
          Result.getOrThrow(GptqMath.gptq({ weight, quantize }, quantized, { actOrder, blockSize }))
        const [fast, slow] = [at(32), at(inputs)]
        expect(agreement(fast, slow)).toBeGreaterThan(0.999)
        expect(Math.abs(loss(fast) / loss(slow) - 1)).toBeLessThan(1e-3)
        expect(at(32)).toEqual(fast)
        expect(loss(fast)).toBeLessThan(0.7 * loss({ ...weight, data: quantize(0, weight.data) }))
      }
    }))

  it("GPFQ's differences of inputs, too", () =>
    run(() => {
      const at = (blockSize: number): Matrix.Matrix =>
        GpfqMath.gpfq({ weight, quantize }, { quantized, mixed }, { blockSize })
      const rounded = (a: Matrix.Matrix): Matrix.Matrix => ({ ...a, data: quantize(0, a.data) })
      expect(agreement(rounded(at(32)), rounded(at(inputs)))).toBeGreaterThan(0.999)
      expect(agreement(at(32), GpfqMath.gpfq({ weight, quantize }, { quantized, mixed: quantized }))).toBeLessThan(0.1)
    }))

  it("GPFQ is what its formula says", () =>
    run(() => {
      const got = GpfqMath.gpfq({ weight, quantize }, { quantized, mixed })
      const [h, g] = [quantized, mixed]
      for (const i of [0, 41]) {
        const rounded: Array<number> = []
        for (let t = 0; t < inputs; t++) {
          let value = Matrix.at(weight, i, t) * Matrix.at(g, t, t)
          for (let s = 0; s < t; s++)
            value += Matrix.at(weight, i, s) * Matrix.at(g, t, s) - (rounded[s] as number) * Matrix.at(h, t, s)
          value /= Matrix.at(h, t, t)
          expect(Math.abs(Matrix.at(got, i, t) - value)).toBeLessThan(2e-5)
          rounded.push(quantize(t, Float64Array.of(Matrix.at(got, i, t)))[0] as number)
        }
      }
    }))
})

import { Result } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { NotPositive } from "../../src/ptq/Factor.ts"
import * as Gpfq from "../../src/ptq/GpfqMath.ts"
import * as Gptq from "../../src/ptq/GptqMath.ts"
import * as Magr from "../../src/ptq/MagrMath.ts"
import * as Matrix from "../../src/ptq/Matrix.ts"
import * as Qronos from "../../src/ptq/QronosMath.ts"
import * as Random from "../../src/tensor/Random.ts"

const drawn = (rows: number, columns: number, seed: number): Matrix.Matrix =>
  Matrix.make(rows, columns, Random.normal(Random.make(seed), rows * columns, 0, 1))

/** `X^T X / n`, of inputs that depend on each other. */
const covariance = (columns: number, samples: number, seed: number): Matrix.Matrix => {
  const x = Matrix.product(drawn(samples, columns, seed), drawn(columns, columns, seed + 1))
  const sums = Matrix.product(Matrix.transpose(x), x)
  return { ...sums, data: sums.data.map((value) => value / samples) }
}

const identity = (n: number): Matrix.Matrix => Matrix.damped(Matrix.zeros(n, n), 1)

/** Rounds to four bits of one step. */
const step = 0.4
const quantize = (_: number, values: Float64Array): Float64Array =>
  values.map((value) => Math.fround(Math.min(7, Math.max(-7, Math.round(value / step))) * step))

const nearest = (weight: Matrix.Matrix): Matrix.Matrix => ({ ...weight, data: quantize(0, weight.data) })

/** `|(W - V) X^T|^2`, up to the number of samples. */
const loss = (a: Matrix.Matrix, b: Matrix.Matrix, h: Matrix.Matrix): number => {
  const e = { ...a, data: a.data.map((value, i) => value - (b.data[i] as number)) }
  return Matrix.product(e, h).data.reduce((sum, value, i) => sum + value * (e.data[i] as number), 0)
}

const close = (a: Matrix.Matrix, b: Matrix.Matrix, within = 1e-8): void => {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns])
  a.data.forEach((value, i) => {
    expect(Math.abs(value - (b.data[i] as number))).toBeLessThanOrEqual(within)
  })
}
const right = <A>(result: Result.Result<A, NotPositive>): A => Result.getOrThrow(result)

const size = fc.integer({ min: 1, max: 13 })
const seed = fc.integer({ min: 1, max: 1000 })

describe("matrices", () => {
  it("the largest eigenvalue", () => {
    const a = Matrix.make(2, 2, [2, 1, 1, 2])
    expect(Matrix.largestEigenvalue(a, [1, 0], 30)).toBeCloseTo(3, 10)
  })
})

describe("matrices that may be written over", () => {
  it("another order of rows and columns, in the matrix itself", () =>
    fc.assert(
      fc.property(size, seed, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (n, seed, numbers) => {
        const order = Array.from({ length: n }, (_, i) => ({ i, key: numbers.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ i }) => i)
        const a = drawn(n, n, seed)
        expect(Matrix.permuteInPlace(Matrix.copy(a), order)).toEqual(Matrix.permuted(a, order))
      })
    ))

  it("give the bits of those that may not, which stay as they are", () =>
    fc.assert(
      fc.property(size, size, seed, fc.boolean(), (m, n, seed, actOrder) => {
        const weight = drawn(m, n, seed)
        const [h, g] = [covariance(n, 3 * n, seed), covariance(n, 3 * n, seed + 7)]
        const both = (): Gpfq.Covariances => ({ quantized: Matrix.copy(h), mixed: Matrix.copy(g) })
        const [kept, before] = [both(), both()]
        const plain = right(Gptq.gptq({ weight, quantize }, kept.quantized, { actOrder }))
        const mixed = Gpfq.gpfq({ weight, quantize }, kept, { actOrder })
        expect(kept).toEqual(before)
        const over = { actOrder, overwrite: true }
        expect(right(Gptq.gptq({ weight, quantize }, both().quantized, over))).toEqual(plain)
        expect(Gpfq.gpfq({ weight, quantize }, both(), over)).toEqual(mixed)
      })
    ))
})

describe("GPTQ", () => {
  it("answers what the quantizer makes, and rounds to nearest where inputs do not depend on each other", () =>
    fc.assert(
      fc.property(size, size, seed, fc.boolean(), (m, n, seed, actOrder) => {
        const weight = drawn(m, n, seed)
        const alone = right(Gptq.gptq({ weight, quantize }, identity(n), { actOrder }))
        close(alone, nearest(weight))
        const rounded = right(Gptq.gptq({ weight, quantize }, covariance(n, 3 * n, seed), { actOrder }))
        close(rounded, nearest(rounded))
      })
    ))

  it("changes the output less than nearest rounding does", () => {
    const [weight, h] = [drawn(16, 24, 3), covariance(24, 60, 5)]
    const rounded = right(Gptq.gptq({ weight, quantize }, h))
    expect(loss(weight, rounded, h)).toBeLessThan(0.7 * loss(weight, nearest(weight), h))
  })

  it("does not depend on the size of its blocks", () =>
    fc.assert(
      fc.property(seed, fc.integer({ min: 1, max: 30 }), (seed, blockSize) => {
        const [weight, hessian] = [drawn(5, 24, seed), covariance(24, 60, seed + 2)]
        const rounded = right(Gptq.gptq({ weight, quantize }, hessian, { blockSize }))
        close(rounded, right(Gptq.gptq({ weight, quantize }, hessian, { blockSize: 24 })), 1e-6)
      })
    ))

  it("gives inputs that are always 0 no weight, and fails where nothing is damped", () => {
    const h = Matrix.make(3, 3, [1, 0, 0.5, 0, 0, 0, 0.5, 0, 1])
    const rounded = right(Gptq.gptq({ weight: drawn(4, 3, 7), quantize }, h))
    for (let i = 0; i < 4; i++) expect(Matrix.at(rounded, i, 1)).toBe(0)
    const flat = Matrix.make(2, 2, [1, 1, 1, 1])
    expect(Result.isFailure(Gptq.gptq({ weight: drawn(1, 2, 1), quantize }, flat, { damping: 0 }))).toBe(true)
  })
})

describe("GPFQ and Qronos", () => {
  it("round to nearest where inputs do not depend on each other, and change the output less where they do", () => {
    const weight = drawn(16, 24, 3)
    const [one, h] = [identity(24), covariance(24, 60, 5)]
    const alone = { quantized: one, mixed: one }
    close(nearest(Gpfq.gpfq({ weight, quantize }, alone)), nearest(weight))
    close(nearest(right(Qronos.qronos({ weight, quantize }, alone))), nearest(weight))
    const both = { quantized: h, mixed: h }
    const worst = loss(weight, nearest(weight), h)
    expect(loss(weight, nearest(Gpfq.gpfq({ weight, quantize }, both)), h)).toBeLessThan(0.9 * worst)
    expect(loss(weight, nearest(right(Qronos.qronos({ weight, quantize }, both))), h)).toBeLessThan(0.7 * worst)
  })

  it("a weight with one input", () => {
    const h = Matrix.make(1, 1, [2])
    const [weight, both] = [drawn(3, 1, 5), { quantized: h, mixed: h }]
    close(right(Qronos.qronos({ weight, quantize }, both)), weight)
    close(Gpfq.gpfq({ weight, quantize }, both), weight)
  })
})

describe("MagR", () => {
  it("projects onto the ball of magnitudes", () =>
    fc.assert(
      fc.property(size, seed, (n, seed) => {
        const x = Random.normal(Random.make(seed), n, 0, 1)
        const near = Magr.ontoBall(Float64Array.from(x))
        const sum = near.reduce((total, value) => total + Math.abs(value), 0)
        expect(sum).toBeLessThanOrEqual(1 + 1e-9)
        if (x.reduce((total, value) => total + Math.abs(value), 0) < 1) expect([...near]).toEqual([...x])
        else expect(sum).toBeCloseTo(1, 9)
      })
    ))

  it("makes the largest weight smaller and the output hardly another", () => {
    const weight = drawn(8, 12, 9)
    const h = covariance(12, 6, 4) // fewer samples than inputs: there is freedom
    const smaller = Magr.magr(weight, h, { steps: 100, alpha: 0.05 })
    const most = ({ data }: Matrix.Matrix): number => data.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
    expect(most(smaller)).toBeLessThan(most(weight))
    const zero = Matrix.zeros(8, 12)
    expect(loss(weight, smaller, h)).toBeLessThan(0.05 * loss(weight, zero, h))
    expect(Magr.magr(weight, Matrix.zeros(12, 12))).toEqual(weight)
  })
})

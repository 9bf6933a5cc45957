import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Extremum from "../../src/op/Extremum.ts"
import * as FakeQuant from "../../src/op/FakeQuant.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer, { local: true }))))

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const specials = [0, -0, nan, inf, -inf, 1e-40, -1e-45, 3.4028235e38, 0.5, -0.5, 1.5, 2.5, -2.5, 127.5, -128.5]

/** Uniform numbers in [0, 1), by a seed. */
const mulberry = (seed: number) => {
  let state = seed
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Numbers of a seed, each tenth a special one. */
const numbers = (seed: number, size: number, scale: number, special: boolean): Float32Array => {
  const uniform = mulberry(seed)
  return Float32Array.from({ length: size }, () => {
    const u = uniform()
    return special && u < 0.1 ? (specials[Math.floor(u * 10 * specials.length)] as number) : (u - 0.5) * scale
  })
}

interface Sample {
  readonly shape: ReadonlyArray<number>
  /** which axes scale and zero-point vary along */
  readonly scaleAxes: ReadonlyArray<boolean>
  readonly zeroAxes: ReadonlyArray<boolean>
  readonly bounds: readonly [number, number]
  readonly seed: number
  readonly special: boolean
  readonly rounding: FakeQuant.Rounding
  readonly clampPasses: boolean
}

const axes: fc.Arbitrary<ReadonlyArray<boolean>> = fc.oneof<fc.Arbitrary<ReadonlyArray<boolean>>[]>(
  fc.constant([false, false, false, false, false]),
  fc.integer({ min: 0, max: 4 }).map((axis) => Array.from({ length: 5 }, (_, i) => i === axis)),
  fc.constant([true, true, true, true, false]),
  fc.array(fc.boolean(), { minLength: 5, maxLength: 5 })
)
const sample: fc.Arbitrary<Sample> = fc
  .record({
    shape: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }),
    scaleAxes: axes,
    zeroAxes: axes,
    same: fc.boolean(),
    bounds: fc.constantFrom<ReadonlyArray<Sample["bounds"]>[number][]>(
      [-128, 127],
      [-4, 3],
      [0, 15],
      [-7, 0],
      [0, 0],
      [3, -2],
      [nan, 3],
      [-3, nan],
      [-inf, inf]
    ),
    seed: fc.integer({ min: 0, max: 1 << 30 }),
    special: fc.boolean(),
    rounding: fc.constantFrom<FakeQuant.Rounding[]>("nearest", "floor", "ceil", "toZero"),
    clampPasses: fc.boolean()
  })
  .map(({ same, ...rest }) => ({ ...rest, zeroAxes: same ? rest.scaleAxes : rest.zeroAxes }))

const inputsOf = ({ shape, scaleAxes, zeroAxes, bounds, seed, special }: Sample): ReadonlyArray<tf.Tensor> => {
  const along = (which: ReadonlyArray<boolean>) => shape.map((size, axis) => (which[axis] ? size : 1))
  const of = (salt: number, to: ReadonlyArray<number>, scale: number, odd: boolean, f = (x: number) => x) =>
    tf.tensor(numbers(seed + salt, tf.util.sizeFromShape([...to]), scale, odd).map(f), [...to], "float32")
  return [
    of(0, shape, 20, special),
    of(1, along(scaleAxes), 2, special && seed % 3 === 0, (s) => (Number.isFinite(s) ? s + 1.5 : s)),
    of(2, along(zeroAxes), 8, special && seed % 5 === 0, (z) => (seed % 2 === 0 ? Math.round(z) : z)),
    tf.scalar(bounds[0]),
    tf.scalar(bounds[1])
  ]
}

type Run = typeof FakeQuant.fakeQuantize
const call = (f: Run, inputs: ReadonlyArray<tf.Tensor>, { rounding, clampPasses }: Sample): tf.Tensor =>
  f(...(inputs as Parameters<Run> extends [...infer T, infer _] ? T : never), { rounding, clampPasses })

/** The value and the gradients of everything, where the gradient that comes in is `dy`. */
const outcome = (f: Run, inputs: ReadonlyArray<tf.Tensor>, given: Sample, dy: tf.Tensor) => {
  const value = call(f, inputs, given)
  const { gradients } = Gradient.valueAndGradients((all) => tf.sum(tf.mul(call(f, all, given), dy)), inputs)
  return { value, gradients }
}

/** NaN is NaN, whatever its bits; zeros have signs. */
const bits = (t: tf.Tensor | null): ReadonlyArray<string> =>
  t === null ? ["null"] : [...t.dataSync()].map((x) => (Object.is(x, -0) ? "-0" : String(x)))

const shapeOf = (t: tf.Tensor | null): unknown => t?.shape

/** For the gradients of scale, zero-point and bounds: what the magnitudes of the terms of each sum add up to. */
const magnitudes = (inputs: ReadonlyArray<tf.Tensor>, y: tf.Tensor, dy: tf.Tensor): ReadonlyArray<tf.TypedArray> => {
  const [x, scale] = inputs as [tf.Tensor, tf.Tensor]
  const change = tf.abs(tf.mul(dy, scale))
  const ofScale = tf.mul(tf.abs(dy), tf.add(tf.abs(tf.div(y, scale)), tf.abs(tf.div(x, scale))))
  return [ofScale, change, change, change].map((terms, i) => {
    const { rank, shape } = inputs[i + 1] as tf.Tensor
    const axes = rank === 0 ? undefined : shape.flatMap((size, axis) => (size === 1 ? [axis] : []))
    return tf.sum(terms, axes).dataSync()
  })
}

/** Of nothing: tfjs's own gradients fail where one axis has size 0, so that the composition has none. */
const checkEmpty = (given: Sample, inputs: ReadonlyArray<tf.Tensor>): void => {
  expect(call(FakeQuant.fakeQuantize, inputs, given).shape).toEqual(given.shape)
  // one run of axes, the same for both, has a kernel whatever the sizes are
  if (given.zeroAxes === given.scaleAxes && given.scaleAxes.filter(Boolean).length <= 1)
    for (const [i, gradient] of outcome(
      FakeQuant.fakeQuantize,
      inputs,
      given,
      tf.ones([...given.shape])
    ).gradients.entries())
      if (gradient !== null) {
        expect(gradient.shape).toEqual(inputs[i]?.shape)
        expect([...gradient.dataSync()].every((d) => d === 0)).toBe(true)
      }
}

const check = (given: Sample): void =>
  tf.tidy(() => {
    const inputs = inputsOf(given)
    if (inputs[0]?.size === 0) return checkEmpty(given, inputs)
    const dy = tf.tensor(numbers(given.seed + 9, inputs[0]?.size ?? 0, 2, false), [...given.shape], "float32")
    const [mine, definition] = [FakeQuant.fakeQuantize, FakeQuant.composition].map((f) =>
      outcome(f, inputs, given, dy)
    ) as [ReturnType<typeof outcome>, ReturnType<typeof outcome>]
    expect(mine.value.shape).toEqual(definition.value.shape)
    expect(bits(mine.value)).toEqual(bits(definition.value))
    expect(mine.gradients.map(shapeOf)).toEqual(definition.gradients.map(shapeOf))
    expect(bits(mine.gradients[0] ?? null)).toEqual(bits(definition.gradients[0] ?? null))
    // the composition divides by the square of the scale, which leaves float32 where the scale is very small or large
    const square = (inputs[1] as tf.Tensor).dataSync().every((s) => Math.abs(s) > 1e-18 && Math.abs(s) < 1e18)
    for (const [i, terms] of magnitudes(inputs, definition.value, dy).entries()) {
      if (i === 0 && !square) continue
      const [a, b] = [mine.gradients[i + 1], definition.gradients[i + 1]]
      const [left, right] = [a?.dataSync() ?? [], b?.dataSync() ?? []]
      for (let j = 0; j < left.length; j++) {
        const [l, r, most] = [left[j], right[j], terms[j]] as [number, number, number]
        // sums of infinite terms, or of too large ones: whether they are NaN depends on their order
        if (!(most < 1e30)) continue
        if (Number.isNaN(l) || Number.isNaN(r) || Math.abs(l - r) > 1e-5 * most + 1e-40)
          expect({ input: i + 1, place: j, most, gradient: l }).toEqual({ input: i + 1, place: j, most, gradient: r })
      }
    }
  })

const plain: Sample = {
  shape: [6, 7],
  scaleAxes: [],
  zeroAxes: [],
  bounds: [-4, 3],
  seed: 5,
  special: false,
  rounding: "nearest",
  clampPasses: false
}

describe("FakeQuant on wasm", () => {
  it("has its kernels, and uses them", () => {
    expect(tf.getKernel("BreveFakeQuant", "wasm")).toBeDefined()
    tf.tidy(() => {
      const inputs = inputsOf(plain)
      let before = tf.engine().state.numBytes
      call(FakeQuant.composition, inputs, plain)
      const several = tf.engine().state.numBytes - before
      before = tf.engine().state.numBytes
      call(FakeQuant.fakeQuantize, inputs, plain)
      expect(tf.engine().state.numBytes - before).toBe(6 * 7 * 4) // nothing but the answer
      expect(several).toBeGreaterThan(6 * 7 * 4)
    })
  })

  it("kernel = composition: the value and dx to the bit, the sums within 1e-5 of their terms", () =>
    fc.assert(fc.property(sample, check), { numRuns: 1500 }))

  it("kernel = composition on lengths that are no multiple of four, per tensor, channel and group", () => {
    for (const size of [1, 2, 3, 5, 31, 33, 4097])
      for (const scaleAxes of [[], [true, false], [false, true], [true, true, false]])
        for (const clampPasses of [true, false]) {
          const shape = scaleAxes.length === 3 ? [3, 2, size] : [3, size]
          check({ ...plain, shape, scaleAxes, zeroAxes: scaleAxes, clampPasses, special: size > 3, seed: size })
        }
  })

  it("asks only for the gradients that there are: none for the bounds where the clamp passes", () =>
    tf.tidy(() => {
      const given = { ...plain, clampPasses: true }
      const { gradients } = outcome(FakeQuant.fakeQuantize, inputsOf(given), given, tf.ones([6, 7]))
      expect(gradients.map((g) => g === null)).toEqual([false, false, false, true, true])
    }))

  it("a shape beyond x, bounds for each element, and whole numbers take the composition", () =>
    tf.tidy(() => {
      const options = { rounding: "nearest", clampPasses: false } as const
      const [low, high] = [tf.scalar(-4), tf.scalar(3)]
      const wide = FakeQuant.fakeQuantize(tf.scalar(2), tf.tensor([1, 2]), tf.scalar(0), low, high, options)
      expect([...wide.dataSync()]).toEqual([2, 2])
      const each = FakeQuant.fakeQuantize(
        tf.tensor([5, 5]),
        tf.scalar(1),
        tf.scalar(0),
        low,
        tf.tensor([1, 2]),
        options
      )
      expect([...each.dataSync()]).toEqual([1, 2])
      const whole = FakeQuant.fakeQuantize(
        tf.tensor([5, 2], [2], "int32"),
        tf.scalar(1),
        tf.scalar(0),
        low,
        high,
        options
      )
      expect([...whole.dataSync()]).toEqual([3, 2])
    }))

  it("finds its tensors when the memory has grown", () => {
    const before = inputsOf(plain)
    const was = [...tf.tidy(() => call(FakeQuant.fakeQuantize, before, plain)).dataSync()]
    const large = [1, 2, 3].map((value) => tf.fill([24 << 20], value)) // 96 MB each
    check({ ...plain, shape: [33, 5], scaleAxes: [false, true], zeroAxes: [] })
    const now = tf.tidy(() => call(FakeQuant.fakeQuantize, before, plain))
    expect([...now.dataSync()]).toEqual(was)
    expect(tf.tidy(() => Extremum.absMax(large[2] as tf.Tensor).dataSync()[0])).toBe(3)
    tf.dispose([...before, ...large, now])
  })

  it("leaks nothing, forward or backward", () => {
    const { numTensors, numDataBuffers } = tf.memory()
    for (const scaleAxes of [[], [true, false], [false, true]]) check({ ...plain, scaleAxes, zeroAxes: scaleAxes })
    expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers })
    const backend = tf.backend() as unknown as { numDataIds: () => number }
    expect(backend.numDataIds()).toBe(numDataBuffers)
  })
})

describe("Extremum.absMax on wasm", () => {
  const slow = (x: tf.Tensor): tf.Tensor => tf.reshape(Extremum.absMax(tf.reshape(x, [1, x.size]), { axis: 1 }), [])
  it("is the largest magnitude to the bit, and shares its gradient among all that attain it", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 70 }),
        fc.integer({ min: 0, max: 1 << 30 }),
        fc.boolean(),
        (size, seed, ties) =>
          tf.tidy(() => {
            const data = numbers(seed, size, 4, seed % 3 === 0).map((x) => (ties ? Math.round(x) : x))
            const x = tf.tensor(data, [size], "float32")
            expect(tf.getKernel("BreveAbsMax", "wasm")).toBeDefined()
            const { value, gradients } = Gradient.valueAndGradients(
              ([x]) => tf.mul(Extremum.absMax(x as tf.Tensor), 3),
              [x]
            )
            expect(bits(value)).toEqual(bits(tf.mul(slow(x), 3)))
            const most = data.reduce((a, b) => Math.max(a, Math.abs(b)), -inf)
            const hit = (x: number): boolean => Math.abs(x) === most || (Number.isNaN(x) && Number.isNaN(most))
            const share = 3 / data.filter(hit).length
            const shares = data.map((x) => (hit(x) && !Number.isNaN(x) ? share * Math.sign(x) + 0 : 0))
            expect([...((gradients[0] as tf.Tensor).dataSync() as Float32Array)].map((g) => g + 0)).toEqual([...shares])
          })
      ),
      { numRuns: 300 }
    ))
})

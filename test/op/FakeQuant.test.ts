import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { beforeAll, describe, expect, it, vi } from "vitest"
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
      const names = (f: Run): ReadonlyArray<string> => {
        const seen: Array<string> = []
        const spy = vi.spyOn(tf.engine(), "runKernel").mockImplementation((name: string) => {
          seen.push(name)
          throw new Error("seen")
        })
        try {
          call(f, inputs, plain)
        } catch {
          // the name is known
        } finally {
          spy.mockRestore()
        }
        return seen
      }
      expect(names(FakeQuant.fakeQuantize)).toEqual(["BreveFakeQuant"])
      expect(names(FakeQuant.composition)).not.toContain("BreveFakeQuant")
      const before = tf.engine().state.numBytes
      call(FakeQuant.fakeQuantize, inputs, plain)
      expect(tf.engine().state.numBytes - before).toBe(6 * 7 * 4) // nothing but the answer
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

/** The float next to x, up (1) or down (-1) in magnitude. */
const beside = (x: number, step: number): number => {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, x)
  view.setUint32(0, Math.max(0, (view.getUint32(0) & 0x7fffffff) + step) | (x < 0 || Object.is(x, -0) ? 0x80000000 : 0))
  return view.getFloat32(0)
}

const scales = [
  0.0078125,
  0.0078,
  0.1,
  1 / 3,
  1,
  1.5,
  1.9999999,
  2,
  3,
  6,
  10,
  1e-20,
  3e-39,
  1e-45,
  1e30,
  3e38,
  -0.3,
  0,
  -0,
  nan,
  inf
]

/** Values at ties of the rounding, one float beside them, tiny ones, and special ones. */
const nearTies = (seed: number, size: number, scale: number, zeroPoint: number, range: number): Float32Array => {
  const uniform = mulberry(seed)
  return Float32Array.from({ length: size }, () => {
    const u = uniform()
    const tie = Math.fround((Math.floor((uniform() - 0.5) * 2.2 * range) + 0.5 - zeroPoint) * scale)
    if (u < 0.7) return beside(tie, Math.floor(uniform() * 5) - 2)
    if (u < 0.8) return (Math.floor(uniform() * 41) - 20) * 2 ** -149
    if (u < 0.85) return specials[Math.floor(uniform() * specials.length)] as number
    return (uniform() - 0.5) * 2 * range * scale
  })
}

const bitsOf = (t: tf.Tensor): ReadonlyArray<number> =>
  [...new Int32Array((t.dataSync() as Float32Array).slice().buffer)].map((v) =>
    (v & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : v
  )

describe("FakeQuant near ties on wasm", () => {
  const layouts = fc.constantFrom<ReadonlyArray<"all" | "first" | "last" | "group">[number][]>(
    "all",
    "first",
    "last",
    "group"
  )
  const near = fc.record({
    layout: layouts,
    rows: fc.integer({ min: 1, max: 4 }),
    size: fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 71, max: 400 })),
    scale: fc.oneof(fc.constantFrom(...scales), fc.double({ min: 1e-6, max: 20, noNaN: true })),
    zeroPoint: fc.constantFrom<(number | "none")[]>("none", "none", 0, 0, -0, 3, -128, 0.25, nan),
    bounds: fc.constantFrom<(readonly [number, number])[]>(
      [-128, 127],
      [-127, 127],
      [-8, 7],
      [-1, 1],
      [0, 255],
      [-32768, 32767],
      [-2.5, 3.7],
      [-inf, inf],
      [-1e9, 1e9]
    ),
    asNumbers: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1 << 30 }),
    rounding: fc.constantFrom<FakeQuant.Rounding[]>("nearest", "nearest", "nearest", "floor", "ceil", "toZero")
  })
  type Near = typeof near extends fc.Arbitrary<infer A> ? A : never

  const agree = ({ layout, rows, size, scale, zeroPoint, bounds, asNumbers, seed, rounding }: Near): void =>
    tf.tidy(() => {
      const shape = layout === "group" ? [rows, 2, size] : [rows, size]
      const along = { all: [1, 1], first: [rows, 1], last: [1, size], group: [rows, 2, 1] }[layout]
      const uniform = mulberry(seed + 1)
      const factor = (): number => (uniform() < 0.5 ? scale : scale * (0.5 + uniform()))
      const s = Float32Array.from({ length: tf.util.sizeFromShape(along) }, factor)
      const z = zeroPoint === "none" ? 0 : zeroPoint
      const range = Number.isFinite(bounds[1]) && bounds[1] < 1e6 ? bounds[1] : 1000
      const x = tf.tensor(nearTies(seed, tf.util.sizeFromShape(shape), s[0] ?? 1, z, range), shape, "float32")
      const inputs = [x, tf.tensor(s, along, "float32")] as const
      const shift = zeroPoint === "none" ? 0 : asNumbers && zeroPoint !== 0 ? zeroPoint : tf.scalar(zeroPoint)
      const [low, high] = bounds.map((bound) => (asNumbers ? bound : tf.scalar(bound))) as [
        FakeQuant.Given,
        FakeQuant.Given
      ]
      const options = { rounding, clampPasses: seed % 4 === 0 }
      const value = (f: Run): tf.Tensor => f(...inputs, shift, low, high, options)
      const context = { layout, shape, s: s.slice(0, 4), zeroPoint, bounds, rounding }
      expect({ ...context, bits: bitsOf(value(FakeQuant.fakeQuantize)) }).toEqual({
        ...context,
        bits: bitsOf(value(FakeQuant.composition))
      })
      if (x.size === 0) return
      const dy = tf.tensor(numbers(seed + 9, x.size, 2, false), shape, "float32")
      const slope = (f: Run): tf.Tensor =>
        Gradient.valueAndGradients(
          ([x]) => tf.sum(tf.mul(f(x as tf.Tensor, inputs[1], shift, low, high, options), dy)),
          [x]
        ).gradients[0] as tf.Tensor
      expect(bitsOf(slope(FakeQuant.fakeQuantize))).toEqual(bitsOf(slope(FakeQuant.composition)))
    })

  it("value and dx have the bits of the composition", () => fc.assert(fc.property(near, agree), { numRuns: 500 }))

  it("also where products replace divisions, for many scales", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const scale = Math.fround(2 ** (mulberry(seed)() * 12 - 8))
      const [zeroPoint, bounds] = [seed % 2 ? ("none" as const) : 0, [-128, 127] as const]
      agree({
        layout: "all",
        rows: 1,
        size: 8192,
        scale,
        zeroPoint,
        bounds,
        asNumbers: true,
        seed,
        rounding: "nearest"
      })
    }
  })

  it("numbers for zero-point and bounds have no gradient and leave no tensors", () => {
    const x = tf.tensor([0.3, -9, 9, -0, 0.5])
    const scale = tf.scalar(0.5)
    const { numTensors } = tf.memory()
    for (const f of [FakeQuant.fakeQuantize, FakeQuant.composition]) {
      const y = f(x, scale, 0, -4, 3, { rounding: "nearest", clampPasses: false })
      expect([...y.dataSync()]).toEqual([0.5, -2, 1.5, -0, 0.5])
      y.dispose()
      expect(tf.memory().numTensors).toBe(numTensors)
      const { value, gradients } = Gradient.valueAndGradients(
        ([x, s]) => tf.sum(f(x as tf.Tensor, s as tf.Tensor, 0, -4, 3, { rounding: "nearest", clampPasses: false })),
        [x, scale]
      )
      expect([...(gradients[0] as tf.Tensor).dataSync()]).toEqual([1, 0, 0, 1, 1])
      // 1 - 0.6, the bounds -4 and 3, 0 and 1 - 1
      expect((gradients[1] as tf.Tensor).dataSync()[0]).toBeCloseTo(0.4 - 4 + 3, 6)
      tf.dispose([value, ...(gradients as ReadonlyArray<tf.Tensor>)])
      expect(tf.memory().numTensors).toBe(numTensors)
    }
    tf.dispose([x, scale])
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

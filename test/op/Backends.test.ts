import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Clamp from "../../src/op/Clamp.ts"
import * as Minifloat from "../../src/op/Minifloat.ts"
import * as PowerOfTwo from "../../src/op/PowerOfTwo.ts"
import * as Range from "../../src/op/Range.ts"
import * as Round from "../../src/op/Round.ts"
import * as Sign from "../../src/op/Sign.ts"

const { NaN: nan, POSITIVE_INFINITY: inf } = Number
const least = 2 ** -149
const positive = [
  0,
  0.5,
  1.5,
  2.5,
  0.3,
  0.7,
  0.49999997,
  1.4999999,
  1.9999999,
  0.24999999,
  7.9999995,
  15.999999,
  448,
  464,
  465,
  8388607.5,
  2 ** 31,
  3e9,
  1e20,
  3.4028235e38,
  1e-30,
  2 ** -126,
  2 ** -127,
  1e-40,
  2 * least,
  least,
  inf
]
/** Zeros of both signs, ties, denormals, the largest and the infinite, NaN, and a thousand in between. */
const x = Float32Array.from([
  ...positive,
  ...positive.map((n) => -n),
  nan,
  ...Array.from({ length: 1000 }, (_, i) => (((i * 2654435761) % 4096) - 2048) / 2 ** (i % 40))
])

const scalar = tf.scalar
const ops: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  ...Object.fromEntries(
    [Round.nearest, Round.floor, Round.ceil, Round.toZero, Round.dpu, Round.toZeroFlat, Round.dpuFlat].map((f, i) => [
      ["nearest", "floor", "ceil", "toZero", "dpu", "toZeroFlat", "dpuFlat"][i],
      f
    ])
  ),
  binary: Sign.binary,
  binaryFlat: Sign.binaryFlat,
  ternary: Sign.ternary,
  magnitude: Sign.magnitude,
  magnitudeRising: Sign.magnitudeRising,
  between: (x) => Clamp.between(x, scalar(-1.25), scalar(2.5)),
  "between 0 and 2.5": (x) => Clamp.between(x, scalar(0), scalar(2.5)),
  "between -1.25 and 0": (x) => Clamp.between(x, scalar(-1.25), scalar(0)),
  "between infinities": (x) => Clamp.between(x, scalar(Number.NEGATIVE_INFINITY), scalar(inf)),
  "between bounds of each": (x) => Clamp.between(x, tf.mul(tf.ones(x.shape), -1.25), tf.fill(x.shape, 0)),
  "between crossed": (x) => Clamp.between(x, scalar(2.5), scalar(-1.25)),
  betweenStraightThrough: (x) => Clamp.betweenStraightThrough(x, scalar(-1.25), scalar(2.5)),
  within: (x) => Clamp.within(x, -1.25, 2.5),
  "within crossed": (x) => Clamp.within(x, 2.5, -1.25),
  "within 0 and 2.5": (x) => Clamp.within(x, 0, 2.5),
  withinStraightThrough: (x) => Clamp.withinStraightThrough(x, -1.25, 2.5),
  notBelow: (x) => Clamp.notBelow(x, 1e-10),
  notBelowStraightThrough: (x) => Clamp.notBelowStraightThrough(x, 1e-10),
  atLeast: (x) => Clamp.atLeast(x, 1e-10),
  exp2: PowerOfTwo.exp2,
  log2: PowerOfTwo.log2,
  maxInt: (x) => Range.maxInt(x, { signed: true, narrowRange: false }),
  minInt: (x) => Range.minInt(x, { signed: true, narrowRange: true }),
  l1Bound: (x) => Range.l1Bound(x, scalar(8), true),
  maxFloat: (x) => Minifloat.maxFloat(x, scalar(1.75), scalar(3)),
  internalScale: (x) => Minifloat.internalScale(x, 3, -9),
  "internalScale of bfloat16": (x) => Minifloat.internalScale(x, 7, -133),
  "nearest minifloat": (x) => Minifloat.nearest(x, { mantissaBitWidth: 2, exponentBias: 15 })
}

/** Bit patterns of the value and of the gradient where 1 comes in; NaN is one. */
const patterns = (f: (x: tf.Tensor) => tf.Tensor): ReadonlyArray<string> => {
  const [value, gradient] = tf.tidy(() => {
    const input = tf.tensor1d(x)
    return [f(input), tf.grad((a: tf.Tensor) => f(a))(input, tf.onesLike(input))]
  }) as [tf.Tensor, tf.Tensor]
  const both = [value, gradient].flatMap((t) => Array.from(t.dataSync(), (n) => (Object.is(n, -0) ? "-0" : String(n))))
  tf.dispose([value, gradient])
  return both
}

const found: Record<string, Record<string, ReadonlyArray<string>>> = { cpu: {}, wasm: {} }

for (const [backend, layer] of [
  ["cpu", Backend.cpu],
  ["wasm", Backend.layer]
] as const)
  describe(`ops on ${backend}`, () => {
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, layer, { local: true }))))

    it.each(Object.keys(ops))("%s leaves no tensors behind", (name) => {
      const before = tf.memory().numTensors
      const f = ops[name]
      if (f !== undefined) (found[backend] as Record<string, ReadonlyArray<string>>)[name] = patterns(f)
      expect(tf.memory().numTensors).toBe(before)
    })
  })

describe("ops", () => {
  it.each(Object.keys(ops))("%s has the same bits on both backends, in value and gradient", (name) => {
    const [cpu = [], wasm = []] = [found.cpu?.[name], found.wasm?.[name]]
    expect(cpu.length).toBe(2 * x.length)
    expect(cpu.flatMap((bits, i) => (bits === wasm[i] ? [] : [[x[i % x.length], bits, wasm[i]]]))).toEqual([])
  })
  it("would notice: tfjs's own sign and clamp differ", () => {
    const own = (f: (x: tf.Tensor) => tf.Tensor) => tf.tidy(() => Array.from(f(tf.tensor1d(x)).dataSync()))
    expect(own(tf.sign)).not.toEqual(own(Sign.ternary))
    expect(own((x) => tf.clipByValue(x, -1.25, 2.5))).not.toEqual(own((x) => Clamp.within(x, -1.25, 2.5)))
  })
})

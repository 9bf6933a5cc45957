/**
 * breve's kernels, as subjects of the laws of kernels, each with the composition that defines it.
 *
 * Room: laws. Imports: tfjs, `op`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Clamp from "../src/op/Clamp.ts"
import * as Extremum from "../src/op/Extremum.ts"
import * as FakeQuant from "../src/op/FakeQuant.ts"
import * as MinifloatQuant from "../src/op/MinifloatQuant.ts"
import * as PowerOfTwo from "../src/op/PowerOfTwo.ts"
import * as Relu from "../src/op/Relu.ts"
import * as Round from "../src/op/Round.ts"
import * as SignQuant from "../src/op/SignQuant.ts"
import * as Gradient from "../src/tensor/Gradient.ts"
import * as Host from "../src/tensor/Host.ts"
import { pick, shapeOf } from "./KernelCalls.ts"
import { type Call, type Kernel, type Made, numbersFrom, tensorOf } from "./KernelLaws.ts"
import { linearKernels } from "./LinearKernels.ts"

// ---- cases --------------------------------------------------------------------------------------------------

/** Scales around 1, one for all, for each channel of an axis, or for each group. */
const scaleOf = (shape: ReadonlyArray<number>, { choice, seed }: Call): tf.Tensor => {
  const next = numbersFrom(seed + 7)
  const varies = (axis: number): boolean =>
    pick(
      [() => false, (a: number) => a === 0, (a: number) => a === shape.length - 1, (a: number) => a !== 1],
      choice,
      5
    )(axis)
  const dims = shape.map((size, axis) => (varies(axis) ? size : 1))
  const values = Float32Array.from({ length: tf.util.sizeFromShape(dims) }, () => 0.125 + (next() % 64) / 16)
  return tf.tensor(values, dims, "float32")
}

const roundings = ["nearest", "floor", "ceil", "toZero"] as const
/** The gradients of scales are sums of many roundings, of levels up to a few hundred. */
const ofScale = [-1, -1, 1e-4]

// ---- quantization -------------------------------------------------------------------------------------------

const fakeQuant: Kernel = {
  name: "fake-quant",
  kernels: ["BreveFakeQuant", "BreveFakeQuantGrad"],
  slack: [...ofScale, 1e-4, 1e-4, 1e-4],
  make: (call) => {
    const shape = shapeOf(call)
    const [x, scale] = [tensorOf(shape, call), scaleOf(shape, call)]
    const options = { rounding: pick(roundings, call.choice, 7), clampPasses: call.choice % 3 === 0 }
    const shift = pick([0, 3, -2], call.choice, 2)
    const [low, high] = pick(
      [
        [-8, 7],
        [0, 15],
        [-1, 1]
      ] as const,
      call.choice,
      11
    )
    const zeroPoint = pick([shift, tf.scalar(shift)], call.choice, 13)
    const tensors = typeof zeroPoint === "number" ? [x, scale] : [x, scale, zeroPoint]
    const by =
      (f: typeof FakeQuant.fakeQuantize): Made["op"] =>
      (x, scale, z) =>
        f(x as tf.Tensor, scale as tf.Tensor, z ?? zeroPoint, low, high, options)
    return { inputs: tensors, op: by(FakeQuant.fakeQuantize), definition: by(FakeQuant.composition) }
  }
}

const formats = [
  { mantissaBitWidth: 3, exponentBias: 7, high: 448 },
  { mantissaBitWidth: 2, exponentBias: 15, high: 57344 },
  { mantissaBitWidth: 1, exponentBias: 1, high: 6 },
  { mantissaBitWidth: 0, exponentBias: 3, high: 16 }
]

const minifloat: Kernel = {
  name: "minifloats",
  kernels: ["BreveLevels", "BreveLevelsGrad"],
  slack: ofScale,
  make: (call) => {
    const shape = shapeOf(call)
    const { high, ...format } = pick(formats, call.choice, 3)
    const options: MinifloatQuant.Options = {
      format,
      high,
      low: call.choice % 4 === 0 ? 0 : -high,
      rounding: pick(roundings, call.choice, 7),
      overflow: pick(["saturate", "infinite", "nan"] as const, call.choice, 2),
      clampPasses: call.choice % 3 === 0
    }
    return {
      inputs: [tensorOf(shape, call), scaleOf(shape, call)],
      op: (x, scale) => MinifloatQuant.quantize(x as tf.Tensor, scale as tf.Tensor, options),
      definition: (x, scale) => MinifloatQuant.composition(x as tf.Tensor, scale as tf.Tensor, options)
    }
  }
}

const signs: Kernel = {
  name: "signs",
  kernels: ["BreveLevels", "BreveLevelsGrad"],
  slack: ofScale,
  make: (call) => {
    const shape = shapeOf(call)
    const kind = pick(["binary", "clamped", "clampPasses", "ternary"] as const, call.choice, 3)
    const threshold = 0.5
    return {
      inputs: [tensorOf(shape, call, 16), scaleOf(shape, call)],
      op: (x, scale) => {
        const [t, s] = [x as tf.Tensor, scale as tf.Tensor]
        if (kind === "binary") return SignQuant.binary(t, s)
        return kind === "ternary"
          ? SignQuant.ternary(t, s, threshold)
          : SignQuant.clampedBinary(t, s, kind === "clampPasses")
      },
      definition: (x, scale) => SignQuant.composition(kind, x as tf.Tensor, scale as tf.Tensor, threshold)
    }
  }
}

/** An operation on one tensor, in its place. */
const elementwise = (
  name: string,
  kernels: ReadonlyArray<string>,
  op: (x: tf.Tensor, choice: number) => tf.Tensor,
  definition: (x: tf.Tensor, choice: number) => tf.Tensor
): Kernel => ({
  name,
  kernels,
  make: (call) => ({
    inputs: [tensorOf(shapeOf(call), call)],
    op: (x) => op(x as tf.Tensor, call.choice),
    definition: (x) => definition(x as tf.Tensor, call.choice)
  })
})

const powerOf = (choice: number): PowerOfTwo.Rounding => pick(["nearest", "floor", "ceil"] as const, choice)
const bound = (choice: number): number => pick([0.5, 1e-10, 2], choice)

const single: ReadonlyArray<Kernel> = [
  elementwise(
    "powers of two",
    ["BrevePowerOfTwo"],
    (x, choice) => PowerOfTwo.near(x, powerOf(choice)),
    (x, choice) => PowerOfTwo.composition(x, powerOf(choice))
  ),
  elementwise(
    "magnitudes kept from falling",
    ["BreveAtLeast"],
    (x, choice) => Clamp.atLeast(x, bound(choice)),
    (x, choice) => {
      const b = Math.fround(bound(choice))
      return Round.straightThrough((t) => Host.map(t, (v) => (Math.abs(v) < b ? (v < 0 ? -b : b) : v)))(x)
    }
  ),
  elementwise(
    "the rectifier",
    ["BreveRelu", "BreveReluGrad"],
    Relu.relu,
    Gradient.customGradient((x: tf.Tensor) => ({
      value: tf.where(tf.less(x, 0), tf.zerosLike(x), x),
      saved: [x],
      gradient: (dy, [x]: readonly [tf.Tensor]) => [tf.where(tf.lessEqual(x, 0), tf.zerosLike(dy), dy)]
    }))
  )
]

// ---- extrema ------------------------------------------------------------------------------------------------

/** The largest magnitude by loops: over everything the gradient is shared by all that attain it, along an axis the first has it. */
const largestMagnitude = (x: tf.Tensor, axis: number | undefined): tf.Tensor =>
  Gradient.customGradient((x: tf.Tensor) => {
    const { shape } = x
    const [outer, length, inner] =
      axis === undefined
        ? [1, x.size, 1]
        : [
            tf.util.sizeFromShape(shape.slice(0, axis)),
            shape[axis] as number,
            tf.util.sizeFromShape(shape.slice(axis + 1))
          ]
    const data = Host.floats(x)
    const slices = Array.from({ length: outer * inner }, (_, s) =>
      Array.from({ length }, (_, i) => (Math.floor(s / inner) * length + i) * inner + (s % inner))
    )
    const most = slices.map((places) =>
      places.reduce((m, at) => Math.max(m, Math.abs(data[at] as number)), places.length === 0 ? Number.NaN : 0)
    )
    return {
      value: tf.tensor(Float32Array.from(most), axis === undefined ? [] : shape.toSpliced(axis, 1), "float32"),
      gradient: (dy) => {
        const [from, to] = [Host.floats(dy), new Float32Array(data.length)]
        for (const [s, places] of slices.entries()) {
          const hits = places.filter((at) => Object.is(Math.abs(data[at] as number), most[s]))
          const shared = axis === undefined ? hits : hits.slice(0, 1)
          for (const at of shared) to[at] = ((from[s] as number) / shared.length) * (Math.sign(data[at] as number) || 0)
        }
        return [tf.tensor(to, shape, "float32")]
      }
    }
  })(x)

const absMax: Kernel = {
  name: "the largest magnitude",
  kernels: ["BreveAbsMax", "BreveAbsMaxAlong", "BreveAbsMaxGrad"],
  make: (call) => {
    const sizes = shapeOf(call).map((size) => Math.max(1, size))
    const axis = sizes.length === 0 || call.choice % 3 === 0 ? undefined : call.choice % sizes.length
    return {
      inputs: [tensorOf(sizes, call)],
      op: (x) => Extremum.absMax(x as tf.Tensor, axis === undefined ? {} : { axis }),
      definition: (x) => largestMagnitude(x as tf.Tensor, axis)
    }
  }
}

const absMaxThrough: Kernel = {
  name: "a tensor beside its largest magnitude",
  kernels: ["BreveAbsMaxAmend"],
  make: (call) => {
    const sizes = shapeOf({ ...call, choice: 1 + (call.choice % 3) }).map((size) => Math.max(1, size))
    const both = (most: tf.Tensor, x: tf.Tensor): tf.Tensor => tf.add(tf.mul(x, 2), most)
    return {
      inputs: [tensorOf(sizes, { ...call, special: false })],
      op: (x) => both(...Extremum.absMaxThrough(x as tf.Tensor)),
      definition: (x) => both(largestMagnitude(x as tf.Tensor, undefined), x as tf.Tensor)
    }
  },
  slack: [-1, 1e-6]
}

/** Every kernel of breve. */
export const all: ReadonlyArray<Kernel> = [
  fakeQuant,
  minifloat,
  signs,
  ...single,
  absMax,
  absMaxThrough,
  ...linearKernels
]

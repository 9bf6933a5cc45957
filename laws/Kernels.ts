/**
 * breve's kernels, as subjects of the laws of kernels, each with the composition that defines it.
 *
 * Room: laws. Imports: tfjs, `op`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Clamp from "../src/op/Clamp.ts"
import * as Convolution from "../src/op/Convolution.ts"
import * as ConvolutionComposition from "../src/op/ConvolutionComposition.ts"
import * as Extremum from "../src/op/Extremum.ts"
import * as FakeQuant from "../src/op/FakeQuant.ts"
import * as Gather from "../src/op/Gather.ts"
import * as Linalg from "../src/op/Linalg.ts"
import * as MinifloatQuant from "../src/op/MinifloatQuant.ts"
import * as Pool from "../src/op/Pool.ts"
import * as PowerOfTwo from "../src/op/PowerOfTwo.ts"
import * as Relu from "../src/op/Relu.ts"
import * as Round from "../src/op/Round.ts"
import * as SignQuant from "../src/op/SignQuant.ts"
import * as View from "../src/op/View.ts"
import * as Gradient from "../src/tensor/Gradient.ts"
import * as Host from "../src/tensor/Host.ts"
import { type Call, type Kernel, type Made, numbersFrom, tensorOf } from "./KernelLaws.ts"

// ---- cases --------------------------------------------------------------------------------------------------

const pick = <A>(all: ReadonlyArray<A>, choice: number, by = 1): A => all[Math.floor(choice / by) % all.length] as A

/** The shape of a tensor, of up to four axes. */
const shapeOf = ({ sizes, choice }: Call): Array<number> => sizes.slice(0, choice % 5)

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

// ---- products and windows -----------------------------------------------------------------------------------

const matMul: Kernel = {
  name: "products of matrices",
  kernels: ["BreveMatMul"],
  slack: [1e-4, 1e-4, 1e-4],
  make: (call) => {
    const [batch = 1, n = 1, k = 1, m = 1] = call.sizes.map((size) => Math.max(1, size))
    const [transposeA, transposeB] = [call.choice % 2 === 0, call.choice % 4 < 2]
    const front = call.choice % 3 === 0 ? [batch] : []
    const of = (rows: number, columns: number, turned: boolean) => [
      ...front,
      ...(turned ? [columns, rows] : [rows, columns])
    ]
    return {
      inputs: [
        tensorOf(of(n, k, transposeA), { ...call, special: false }, 16),
        tensorOf(of(k, m, transposeB), { seed: call.seed + 1, special: false }, 16)
      ],
      op: (a, b) => Linalg.matMul(a as tf.Tensor, b as tf.Tensor, { transposeA, transposeB }),
      definition: (a, b) => tf.matMul(a as tf.Tensor, b as tf.Tensor, transposeA, transposeB)
    }
  }
}

const linear: Kernel = {
  name: "rows times a matrix, and a bias",
  kernels: ["BreveMatMul", "BreveColumnSums"],
  make: (call) => {
    const [n = 1, k = 1, , m = 1] = call.sizes.map((size) => Math.max(1, size))
    const plain = { ...call, special: false }
    return {
      inputs: [
        tensorOf([n, k], plain, 16),
        tensorOf([k, m], { ...plain, seed: call.seed + 1 }, 16),
        tensorOf([m], plain, 16)
      ],
      op: (x, w, b) => Linalg.linear(x as tf.Tensor, w as tf.Tensor, b),
      definition: (x, w, b) => tf.add(tf.matMul(x as tf.Tensor, w as tf.Tensor), b as tf.Tensor)
    }
  }
}

const windowOf = ({ choice }: Call) => ({
  strides: pick(
    [
      [1, 1],
      [2, 1],
      [2, 2]
    ] as const,
    choice,
    2
  ) as readonly [number, number],
  pad: pick(["valid", "same"] as const, choice, 3),
  dilations: [1, 1] as const
})

/** Images that are large enough for a window. */
const imageOf = ({ sizes }: Call): readonly [number, number, number, number] => [
  Math.min(2, sizes[0] as number),
  Math.max(3, sizes[1] as number),
  Math.max(3, sizes[2] as number),
  Math.max(1, Math.min(4, sizes[3] as number))
]

const convolution: Kernel = {
  name: "convolutions",
  kernels: ["BreveConv2d", "BreveConv2dInputGrad", "BreveConv2dFilterGrad"],
  make: (call) => {
    const [n, h, w, c] = imageOf(call)
    const groups = call.choice % 4 === 0 ? c : 1
    const options = { ...windowOf(call), groups }
    const plain = { ...call, special: false }
    return {
      inputs: [
        tensorOf([n, h, w, c], plain, 16),
        tensorOf([3, 2, c / groups, 2 * groups], { ...plain, seed: call.seed + 1 }, 16)
      ],
      op: (x, filter) => Convolution.conv2d(x as tf.Tensor, filter as tf.Tensor, options),
      definition: (x, filter) =>
        n === 0
          ? Convolution.conv2d(x as tf.Tensor, filter as tf.Tensor, options)
          : ConvolutionComposition.composition(x as tf.Tensor, filter as tf.Tensor, options)
    }
  }
}

const poolOf = (call: Call) => ({
  ...windowOf(call),
  size: pick(
    [
      [2, 2],
      [3, 2]
    ] as const,
    call.choice,
    5
  ) as readonly [number, number]
})

const pools: ReadonlyArray<Kernel> = [
  {
    name: "largest elements of windows",
    kernels: ["BreveMaxPool", "BreveMaxPoolGrad"],
    make: (call) => ({
      inputs: [
        tensorOf(
          imageOf(call).map((d) => Math.max(1, d)),
          call
        )
      ],
      op: (x) => Pool.maxPool2d(x as tf.Tensor, poolOf(call)),
      definition: (x) => Pool.maximum(x as tf.Tensor, poolOf(call))
    })
  },
  {
    name: "means of windows",
    kernels: ["BreveAvgPool", "BreveAvgPoolGrad"],
    slack: [1e-5, 1e-5],
    make: (call) => {
      const options = { ...poolOf(call), countIncludePad: call.choice % 2 === 0 }
      return {
        inputs: [
          tensorOf(
            imageOf(call).map((d) => Math.max(1, d)),
            { ...call, special: false }
          )
        ],
        op: (x) => Pool.avgPool2d(x as tf.Tensor, options),
        definition: (x) => Pool.mean(x as tf.Tensor, options)
      }
    }
  }
]

// ---- rows and axes ------------------------------------------------------------------------------------------

const rows: Kernel = {
  name: "rows of a table",
  kernels: ["BreveGather", "BreveGatherGrad"],
  make: (call) => {
    const [count = 1, , columns = 1, places = 1] = call.sizes.map((size) => Math.max(1, size))
    const next = numbersFrom(call.seed + 3)
    const indices = tf.tensor1d(
      Int32Array.from({ length: places }, () => next() % count),
      "int32"
    )
    return {
      inputs: [tensorOf([count, columns], call), indices],
      op: (table, at) => Gather.gather(table as tf.Tensor, at as tf.Tensor),
      definition: (table, at) => Gather.composition(table as tf.Tensor, at as tf.Tensor)
    }
  }
}

const axes: ReadonlyArray<Kernel> = [
  {
    name: "an axis made longer or cut",
    kernels: ["BreveResize"],
    make: (call) => {
      const shape = call.sizes.slice(0, 3).map((size) => Math.max(1, size))
      const axis = call.choice % 3
      const size = 1 + (call.choice % 9)
      return {
        inputs: [tensorOf(shape, call)],
        op: (x) => View.resize(x as tf.Tensor, axis, size),
        definition: (x) => {
          const longer = shape.map((d, i): [number, number] => [0, i === axis ? Math.max(0, size - d) : 0])
          return tf.slice(tf.pad(x as tf.Tensor, longer), [0, 0, 0], shape.with(axis, size))
        }
      }
    }
  },
  {
    name: "one element repeated along an axis",
    kernels: ["BreveRepeat"],
    make: (call) => {
      const axis = call.choice % 3
      const shape = call.sizes.slice(0, 3).map((size, i) => (i === axis ? 1 : Math.max(1, size)))
      const size = 1 + (call.choice % 9)
      return {
        inputs: [tensorOf(shape, call)],
        op: (x) => View.repeat(x as tf.Tensor, axis, size),
        definition: (x) =>
          tf.tile(
            x as tf.Tensor,
            shape.map((_, i) => (i === axis ? size : 1))
          )
      }
    }
  }
]

/** Every kernel of breve. */
export const all: ReadonlyArray<Kernel> = [
  fakeQuant,
  minifloat,
  signs,
  ...single,
  absMax,
  absMaxThrough,
  matMul,
  linear,
  convolution,
  ...pools,
  rows,
  ...axes
]

/**
 * breve's kernels that are linear, or pick: products of matrices, convolutions, windows, rows of tables, axes made longer.
 *
 * Room: laws. Imports: tfjs, `op`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Convolution from "../src/op/Convolution.ts"
import * as ConvolutionComposition from "../src/op/ConvolutionComposition.ts"
import * as Gather from "../src/op/Gather.ts"
import * as Linalg from "../src/op/Linalg.ts"
import * as Pool from "../src/op/Pool.ts"
import * as View from "../src/op/View.ts"
import { pick } from "./KernelCalls.ts"
import { type Call, type Kernel, numbersFrom, tensorOf } from "./KernelLaws.ts"

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

/** All of them. */
export const linearKernels: ReadonlyArray<Kernel> = [matMul, linear, convolution, ...pools, rows, ...axes]

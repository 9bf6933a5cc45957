/**
 * What the operators of exported files compute, on plain arrays, by the descriptions of ONNX and QONNX.
 *
 * Room: exchange (level 5). Imports: `./GraphConstants.ts`, `./OnnxArrays.ts`, `./OnnxAttributes.ts`, `./OnnxModel.ts` types, `./OnnxQuantNodes.ts`,
 * `./OnnxWindows.ts`. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import * as GraphConstants from "./GraphConstants.ts"
import * as Arrays from "./OnnxArrays.ts"
import { type Compute, float, given, type Inputs, int, ints, number } from "./OnnxAttributes.ts"
import type * as OnnxModel from "./OnnxModel.ts"
import * as Quant from "./OnnxQuantNodes.ts"
import { conv, convTranspose, pooled, resize } from "./OnnxWindows.ts"

type Values = Arrays.Values

// ---- by name ------------------------------------------------------------------------------------------------

const unary =
  (f: (x: number) => number): Compute =>
  (node, inputs) =>
    Arrays.mapped(given(node, inputs, 0), f)
const binary =
  (f: (x: number, y: number) => number): Compute =>
  (node, inputs) =>
    Arrays.zipped(given(node, inputs, 0), given(node, inputs, 1), f)

/** Each row of the last axis through `f`, which answers rows of one size. */
const alongLast = ({ shape, data }: Values, f: (row: ReadonlyArray<number>) => ReadonlyArray<number>): Values => {
  const size = shape.at(-1) ?? 1
  const rows = Array.from({ length: data.length / size }, (_, i) => f([...data.subarray(i * size, (i + 1) * size)]))
  return { shape: [...shape.slice(0, -1), rows[0]?.length ?? size], data: Float64Array.from(rows.flat(), Math.fround) }
}

const standard: Readonly<Record<string, Compute>> = {
  Add: binary((x, y) => x + y),
  Sub: binary((x, y) => x - y),
  Mul: binary((x, y) => x * y),
  Div: binary((x, y) => x / y),
  GreaterOrEqual: binary((x, y) => (x >= y ? 1 : 0)),
  Where: (node, inputs) => {
    const [isFirst, one, other] = [given(node, inputs, 0), given(node, inputs, 1), given(node, inputs, 2)]
    const [oneAt, otherAt] = [Arrays.spreadOver(one, isFirst.shape), Arrays.spreadOver(other, isFirst.shape)]
    return Arrays.mapped(isFirst, (x, i) => (x === 1 ? one.data[oneAt(i)] : other.data[otherAt(i)]) as number)
  },
  Relu: unary((x) => Math.max(x, 0)),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  Identity: unary((x) => x),
  Sqrt: unary(Math.sqrt),
  Round: unary(GraphConstants.roundEven),
  Clip: (node, inputs) => {
    const ends = [number(node, inputs, 1), number(node, inputs, 2)] as const
    return Arrays.mapped(given(node, inputs, 0), (x) => Quant.clamped(x, ends))
  },
  Flatten: (node, inputs) => {
    const { shape, data } = given(node, inputs, 0)
    const axis = int(node, "axis", 1)
    return { shape: [Arrays.product(shape.slice(0, axis)), Arrays.product(shape.slice(axis))], data }
  },
  Transpose: (node, inputs) => Arrays.transposed(given(node, inputs, 0), ints(node, "perm") ?? []),
  Concat: (node, inputs) =>
    Arrays.joined(
      inputs.map((_, at) => given(node, inputs, at)),
      int(node, "axis", 0)
    ),
  Gather: (node, inputs) => Arrays.taken(given(node, inputs, 0), given(node, inputs, 1), int(node, "axis", 0)),
  MatMul: (node, inputs) => Arrays.products(given(node, inputs, 0), given(node, inputs, 1)),
  Gemm: (node, inputs) => {
    const w = given(node, inputs, 1)
    const product = Arrays.multiplied(
      given(node, inputs, 0),
      int(node, "transB", 0) === 1 ? Arrays.transposed(w, [1, 0]) : w
    )
    const [alpha, beta, bias] = [float(node, "alpha", 1), float(node, "beta", 1), inputs[2]]
    return bias === undefined ? product : Arrays.zipped(product, bias, (x, b) => alpha * x + beta * b)
  },
  Conv: conv,
  ConvTranspose: convTranspose,
  Resize: resize,
  MaxPool: (node, inputs) => pooled(node, given(node, inputs, 0), (values) => Math.max(...values)),
  AveragePool: (node, inputs) =>
    pooled(node, given(node, inputs, 0), (values, taps) => {
      const count = int(node, "count_include_pad", 0) === 1 ? taps : values.length
      return values.reduce((a, b) => a + b, 0) / count
    }),
  BatchNormalization: (node, inputs) => {
    const x = given(node, inputs, 0)
    const [w, b, mean, variance] = [1, 2, 3, 4].map((at) =>
      Arrays.along(given(node, inputs, at), 1, x.shape.length)
    ) as [Values, Values, Values, Values]
    const at = Arrays.spreadOver(w, x.shape)
    const epsilon = float(node, "epsilon", 1e-5)
    const of = ({ data }: Values, i: number): number => data[at(i)] as number
    return Arrays.mapped(
      x,
      (value, i) => ((value - of(mean, i)) / Math.sqrt(of(variance, i) + epsilon)) * of(w, i) + of(b, i)
    )
  },
  LayerNormalization: (node, inputs) => {
    const [x, w, bias] = [given(node, inputs, 0), given(node, inputs, 1), inputs[2]]
    const epsilon = float(node, "epsilon", 1e-5)
    const size = x.shape.at(-1) ?? 1
    return alongLast(x, (row) => {
      const mean = row.reduce((a, b) => a + b, 0) / size
      const root = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size + epsilon)
      return row.map((v, i) => ((v - mean) / root) * (w.data[i] as number) + (bias?.data[i] ?? 0))
    })
  },
  ReduceMean: (node, inputs) => {
    const x = given(node, inputs, 0)
    const axes = ints(node, "axes") ?? [...(inputs[1]?.data ?? [])]
    if (axes.length !== 1 || axes[0] !== -1)
      throw new Error(`ReduceMean "${node.name}" is over other axes than the last`)
    return alongLast(x, (row) => [row.reduce((a, b) => a + b, 0) / row.length])
  },
  Softmax: (node, inputs) => {
    const x = given(node, inputs, 0)
    if (int(node, "axis", -1) !== -1) throw new Error(`Softmax "${node.name}" is along another axis than the last`)
    return alongLast(x, (row) => {
      const most = Math.max(...row)
      const powers = row.map((v) => Math.exp(v - most))
      const sum = powers.reduce((a, b) => a + b, 0)
      return powers.map((power) => power / sum)
    })
  },
  QuantizeLinear: Quant.quantized,
  DequantizeLinear: Quant.dequantizeLinear
}

const general: Readonly<Record<string, Compute>> = {
  Quant: Quant.quantized,
  BipolarQuant: Quant.quantized,
  Trunc: Quant.quantized,
  FloatQuant: Quant.quantized
}

const computeOf = ({ domain, opType }: OnnxModel.Node): Compute | undefined => {
  const known = domain === "" ? standard : domain === "qonnx.custom_op.general" ? general : {}
  return Object.hasOwn(known, opType) ? known[opType] : undefined
}

export const isKnown = (node: OnnxModel.Node): boolean => computeOf(node) !== undefined

/** What a node makes of its inputs; throws where they are not what it needs. */
export const compute = (node: OnnxModel.Node, inputs: Inputs): Values => {
  const f = computeOf(node)
  if (f === undefined) throw new Error(`it does not know ${node.opType}`)
  return f(node, inputs)
}

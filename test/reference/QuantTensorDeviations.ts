/**
 * Where the algebra of quant tensors differs from the reference on purpose.
 */
import type { Rule } from "./Deviations.ts"

interface Bounds {
  readonly low: number
  readonly high: number
}

const boundsOf = ({ bit_width, signed }: any): Bounds => {
  const bits = bit_width.data[0]
  return signed ? { low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 } : { low: 0, high: 2 ** bits - 1 }
}
const smallest = ({ low, high }: Bounds, signed: boolean): number =>
  signed ? 1 + Math.ceil(Math.log2(Math.max(high + 1, -low))) : Math.ceil(Math.log2(high + 1))

/** The smallest width that holds every result of these operations on full ranges. */
const needed = (op: string, args: ReadonlyArray<any>): number | undefined => {
  if (args.some((x) => x.bit_width === undefined)) return undefined
  const [a, b] = args.map(boundsOf) as [Bounds, Bounds]
  const signed = args.some((x) => x.signed)
  if (op === "add" && b !== undefined) return smallest({ low: a.low + b.low, high: a.high + b.high }, signed)
  if (op === "sub" && b !== undefined) return smallest({ low: a.low - b.high, high: a.high - b.low }, true)
  if (op === "neg") return smallest({ low: -a.high, high: -a.low }, true)
  return op === "abs" ? smallest({ low: 0, high: Math.max(-a.low, a.high) }, false) : undefined
}

const hasZeroPoint = (x: any): boolean => x?.zero_point?.data.some((z: number) => z !== 0) === true
const only = (actual: any, ...paths: ReadonlyArray<string>): boolean =>
  actual.differing.length > 0 && actual.differing.every((path: string) => paths.includes(path))

export const rules: ReadonlyArray<Rule> = [
  {
    id: "scales-must-agree-in-training-too",
    reason:
      "Values of different scales are not added or concatenated, in training as in evaluation. The reference averages the scales " +
      "in training, so that the answer lies on no grid, and fails only when the trained network is evaluated.",
    matches: ({ inputs, outputs }, _, actual) =>
      // or something else that differs, too, is what the reference complains of
      (outputs.result?.is_valid === false || / are different$/.test(outputs.error?.message ?? "")) &&
      inputs.args?.some((x: any) => x.training === true) &&
      only(actual, "error.ScaleMismatch")
  },
  {
    id: "widths-hold-every-result",
    reason:
      "The width of a sum, difference, negative or magnitude is the smallest that holds every result. The reference's is too narrow " +
      "where a signed and an unsigned operand of one width are added and where the lowest integer changes its sign, and too wide " +
      "by a bit for a difference of unsigned ones.",
    matches: ({ config, inputs, outputs }, _, actual) => {
      const width = needed(config.op, inputs?.args ?? [])
      return (
        width !== undefined &&
        width !== outputs.result?.bit_width?.data[0] &&
        // an answer beyond a width that is too narrow is not valid
        only(actual, "result.bit_width", "result.is_valid", "result.int")
      )
    }
  },
  {
    id: "a-sum-holds-its-bias",
    reason:
      "The width of a sum of products and its bias holds both. The reference takes one bit more than the wider of them, which is too " +
      "little where one is signed and the wider one is not.",
    matches: ({ config, inputs, outputs }, _, actual) =>
      /^(linear|conv)/.test(config.op ?? "") &&
      inputs.args[2]?.bit_width !== undefined &&
      new Set(inputs.args.map((x: any) => x.signed)).size > 1 &&
      only(actual, "result.bit_width", ...(outputs.result?.is_valid === false ? ["result.is_valid", "result.int"] : []))
  },
  {
    id: "what-leaves-the-grid-is-plain",
    reason:
      "A bound that is no value of the format makes plain values of those that reach it, and zeros that the format has not are padded " +
      "with a zero-point of their own. The reference keeps the format, so that its answer is not valid. The values are the same.",
    matches: ({ config, outputs }, _, actual) =>
      /^(relu6?|ReLU module|hardtanh|pad)$/.test(config.op ?? "") &&
      outputs.result?.is_valid === false &&
      actual.differing.length > 0 &&
      actual.differing.every((path: string) => path !== "result.value" && !path.endsWith(".value"))
  },
  {
    id: "a-transposed-convolution-sums-its-inputs",
    reason:
      "An output of a transposed convolution sums, for each input channel, as many products as taps of the kernel can meet inputs: the " +
      "product over the axes of ceil(size / stride). The reference adds these up over the axes and multiplies by the output channels.",
    matches: ({ config }, _, actual) =>
      (/^conv_transpose/.test(config.op ?? "") && only(actual, "result.bit_width")) ||
      (/ConvTranspose/.test(config.layer ?? "") && only(actual, "out.bit_width"))
  },
  {
    id: "the-negative-of-a-value",
    reason:
      "Negation and magnitude are those of the value, also where integers have a zero-point. The reference takes them of the " +
      "integers and leaves the zero-point, so that -x + x is not 0.",
    matches: ({ config, inputs, outputs }) => {
      const of = config.op === "neg" || config.op === "abs" ? 0 : config.op === "sub" ? 1 : undefined
      const isValue = outputs.result !== undefined || /not valid/.test(outputs.error?.message ?? "")
      return of !== undefined && isValue && hasZeroPoint(inputs.args[of])
    }
  },
  {
    id: "sums-commute",
    reason:
      "A plain tensor and a quantized one add up to the same quant tensor in either order. In the reference the library of the left " +
      "operand decides.",
    matches: ({ config, inputs, outputs }, _, actual) =>
      config.op === "radd" &&
      inputs.args[0].type === "Tensor" &&
      outputs.result?.type === "Tensor" &&
      only(actual, "result.type")
  },
  {
    id: "defined-where-the-host-language-fails",
    reason:
      "A number on the left of a product, products of matrices, and concatenation of minifloats without reserved codes are defined. " +
      "The reference fails on them with an accident of its language.",
    matches: ({ outputs }, _, actual) => outputs.error?.kind === "TypeError" && only(actual, "error.none")
  },
  {
    id: "a-reshaped-value-keeps-its-scales",
    reason:
      "Scales per channel follow their elements into the new shape. In the reference the scale keeps its shape and no longer fits, so " +
      "that the answer is not valid.",
    matches: ({ inputs, outputs }, _, actual) =>
      outputs.result?.is_valid === false &&
      inputs.args[0].scale?.data.length > 1 &&
      outputs.result.scale.shape.length > outputs.result.value.shape.length &&
      only(actual, "result.scale", "result.is_valid", "result.int")
  },
  {
    id: "a-constant-binary-tensor-is-valid",
    reason:
      "A binary tensor is valid if all its integers are 1 or -1. The reference asks for both of them, so that a tensor becomes " +
      "invalid when its values agree.",
    matches: ({ config, inputs, outputs }) =>
      config.op === "is_valid" &&
      outputs.result?.value === false &&
      inputs.args[0].bit_width?.data[0] < 2 &&
      new Set(inputs.args[0].value.data).size === 1
  },
  {
    id: "rows-of-a-table-keep-their-scales",
    reason:
      "Rows of a table with a scale for each row are looked up with their scales. The reference refuses such tables.",
    matches: ({ outputs }, _, actual) =>
      /Only per-tensor quantization/.test(outputs.error?.message ?? "") && only(actual, "error.none")
  },
  {
    id: "a-tensor-has-rows",
    reason:
      "The length of a quant tensor is that of its value. In the reference it is the number of fields of its record.",
    matches: ({ config, outputs }, _, actual) =>
      config.op === "len" && outputs.result?.value === 6 && only(actual, "result.value")
  }
]

/**
 * The operations of the vectors by name, in terms of breve's.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Result } from "effect"
import * as QuantTensor from "../../../../src/core/QuantTensor.ts"
import * as Sign from "../../../../src/op/Sign.ts"
import { ok } from "./Failed.ts"
import {
  asLine,
  asRow,
  bilinear,
  convolved,
  maxPool,
  onImages,
  pair,
  repeated,
  shuffled,
  transposedConvolved,
  unshuffled,
  windowOf
} from "./Images.ts"

type Value = QuantTensor.Value
export type Answer = unknown
export type Args = ReadonlyArray<Value>

const operand = (args: Args, { number }: any): QuantTensor.Operand => args[1] ?? number
const first = ([x]: Args): Value => x as Value
const quantized = ([x]: Args): QuantTensor.QuantTensor => x as QuantTensor.QuantTensor
const binary =
  (f: typeof QuantTensor.add | typeof QuantTensor.mul) =>
  (args: Args, config: any): Answer =>
    ok(f(first(args), operand(args, config)) as Result.Result<Value, never>)
const reversed =
  (f: typeof QuantTensor.add | typeof QuantTensor.mul) =>
  (args: Args, config: any): Answer =>
    ok((args[1] === undefined ? f(config.number, first(args)) : f(first(args), args[1])) as Result.Result<Value, never>)
const plainly = (f: (...values: ReadonlyArray<tf.Tensor>) => tf.Tensor) => (args: Args) =>
  QuantTensor.dequantizing(f)(...args)

export const operations: Readonly<Record<string, (args: Args, config: any) => Answer>> = {
  construct: (args, { scale, zero_point, bit_width, signed, training }) =>
    QuantTensor.fromNumbers(first(args) as tf.Tensor, {
      scale,
      zeroPoint: zero_point,
      bitWidth: bit_width,
      signed,
      training
    }),
  is_valid: (args) => QuantTensor.isValid(quantized(args)),
  int: (args) => ok(QuantTensor.checkedInt(quantized(args))),
  "int(float_datatype=True)": (args) => QuantTensor.integers(quantized(args)),
  minifloat: (args) => QuantTensor.minifloat(quantized(args)),
  value: (args) => quantized(args).value,
  scale: (args) => quantized(args).scale,
  zero_point: (args) => quantized(args).zeroPoint,
  add: binary(QuantTensor.add),
  radd: reversed(QuantTensor.add),
  sub: binary(QuantTensor.sub),
  mul: binary(QuantTensor.mul),
  rmul: reversed(QuantTensor.mul),
  div: binary(QuantTensor.div),
  neg: (args) => QuantTensor.neg(first(args)),
  pos: (args) => QuantTensor.shared(first(args)),
  abs: (args) => QuantTensor.abs(first(args)),
  matmul: ([a, b]) => ok(QuantTensor.matMul(a as Value, b as Value)),
  "torch.add": plainly((a, b) => tf.add(a as tf.Tensor, b as tf.Tensor)),
  "torch.abs": plainly((x) => Sign.magnitude(x as tf.Tensor)),
  "torch.matmul": plainly((a, b) => tf.matMul(a as tf.Tensor, b as tf.Tensor)),
  "torch.sum": plainly((x) => tf.sum(x as tf.Tensor)),
  "torch.stack": plainly((...values) => tf.stack([...values])),
  "torch.sigmoid": plainly((x) => tf.sigmoid(x as tf.Tensor)),
  "torch.permute": ([x], { dims }) => tf.transpose(QuantTensor.dequantized(x as Value), dims),
  "x[0]": (args) => quantized(args).value,
  len: (args) => QuantTensor.shapeOf(first(args))[0],
  shape: (args) => QuantTensor.shapeOf(first(args)),
  "size(0)": (args) => QuantTensor.shapeOf(first(args))[0],
  dim: (args) => QuantTensor.shapeOf(first(args)).length,
  set: (args) => QuantTensor.withValue(quantized(args), args[1] as tf.Tensor),
  detach: (args) => QuantTensor.detached(first(args)),
  contiguous: (args) => QuantTensor.shared(first(args)),
  view: (args, { shape }) => ok(QuantTensor.reshape(first(args), shape)),
  reshape: (args, { shape }) => ok(QuantTensor.reshape(first(args), shape)),
  "torch.reshape": (args, { shape }) => ok(QuantTensor.reshape(first(args), shape)),
  flatten: (args, { start_dim }) => QuantTensor.flatten(first(args), start_dim),
  "torch.flatten": (args, { start_dim }) => QuantTensor.flatten(first(args), start_dim),
  transpose: (args, { dims: [a, b] }) => ok(QuantTensor.swapAxes(first(args), a, b)),
  "torch.transpose": (args, { dims: [a, b] }) => ok(QuantTensor.swapAxes(first(args), a, b)),
  permute: (args, { dims }) => ok(QuantTensor.transpose(first(args), dims)),
  cat: (args, { dim }) => ok(QuantTensor.concat(args, dim)),
  relu: (args) => QuantTensor.relu(first(args)),
  "ReLU module": (args) => QuantTensor.relu(first(args)),
  relu6: (args) => QuantTensor.relu6(first(args)),
  hardtanh: (args, { min_val, max_val }) => QuantTensor.hardTanh(first(args), min_val, max_val),
  max_pool2d: (args, config) => maxPool(first(args), config),
  "MaxPool2d module": (args, config) => maxPool(first(args), config),
  max_pool1d: (args, { kernel_size }) =>
    asLine(maxPool(asRow(first(args)), { kernel_size: [1, kernel_size], stride: [1, kernel_size] })),
  adaptive_max_pool2d: (args, { output_size }) =>
    maxPool(first(args), { kernel_size: windowOf(first(args), output_size) }),
  pad: (args, { pad }) => {
    const [left, right, top, bottom] = pad
    return ok(
      QuantTensor.pad(first(args), [
        [0, 0],
        [0, 0],
        [top, bottom],
        [left, right]
      ])
    )
  },
  dropout: (args) => QuantTensor.keeping(first(args), (value) => value.clone()),
  pixel_shuffle: (args, { upscale_factor }) => QuantTensor.keeping(first(args), (x) => shuffled(x, upscale_factor)),
  pixel_unshuffle: (args, { downscale_factor }) =>
    QuantTensor.keeping(first(args), (x) => unshuffled(x, downscale_factor)),
  interpolate: (args, { mode, scale_factor }) =>
    mode === "nearest"
      ? onImages(first(args), (image) => QuantTensor.keeping(image, (x) => repeated(x, scale_factor)))
      : onImages(QuantTensor.dequantized(first(args)), (image) => bilinear(image as tf.Tensor, scale_factor)),
  avg_pool2d: (args, { kernel_size, stride, padding = 0, divisor_override }) =>
    onImages(first(args), (image) =>
      ok(
        QuantTensor.avgPool2d(image, {
          size: pair(kernel_size),
          strides: pair(stride ?? kernel_size),
          pad: padding,
          ...(divisor_override !== undefined && { divisor: divisor_override })
        })
      )
    ),
  adaptive_avg_pool2d: (args, { output_size }) =>
    onImages(first(args), (image) => ok(QuantTensor.avgPool2d(image, { size: windowOf(first(args), output_size) }))),
  linear: ([x, weight, bias]) => ok(QuantTensor.linear(x as Value, ok(QuantTensor.transpose(weight as Value)), bias)),
  conv2d: convolved,
  conv1d: ([x, weight, bias], config) =>
    asLine(convolved([asRow(x as Value), asRow(weight as Value), ...(bias === undefined ? [] : [bias])], config)),
  conv_transpose2d: transposedConvolved,
  embedding: ([indices, table]) => ok(QuantTensor.rows(table as Value, indices as tf.Tensor))
}

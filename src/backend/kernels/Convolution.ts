/**
 * Convolution and its gradients.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Convolution.test.ts.
 */
import { type NamedAttrMap, type TensorInfo, util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, output, type Running, scratch } from "../Kernel.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** Along one axis: sizes, and how far outputs and elements of the filter lie apart in the image; zeros before. */
interface Axis {
  readonly input: number
  readonly output: number
  readonly taps: number
  readonly step: number
  readonly dilation: number
  readonly before: number
}

/** The channels: of each group, or with a filter for each (`deep`), where each is there several times (`repeats`). */
interface Channels {
  readonly groups: number
  readonly inner: number
  readonly outputs: number
  readonly deep: boolean
  readonly repeats: number
}

// ---- sizes --------------------------------------------------------------------------------------------------

const integers = (attrs: NamedAttrMap, name: string): ReadonlyArray<number> => attrs[name] as Array<number>

const axis = (
  input: number,
  output: number,
  taps: number,
  [step = 1, dilation = 1, before = 0]: ReadonlyArray<number>
): Axis => ({
  input,
  output,
  taps,
  step,
  dilation,
  before
})

const channels = (groups: number, inner: number, outputs: number, isDeep: boolean): Channels =>
  isDeep
    ? { groups: 1, inner: groups, outputs: groups * outputs, deep: true, repeats: outputs }
    : { groups, inner, outputs, deep: false, repeats: 1 }

const numbers = ({ input, output, taps, step, dilation, before }: Axis): ReadonlyArray<number> => [
  input,
  output,
  taps,
  step,
  dilation,
  before
]

/** Bytes of an image's rows that stay in the second cache while they are multiplied. */
const BLOCK = 1 << 17

/** How many rows of the output are computed at a time, and the room for that: table, filter, bias, the rows of the image and of `dy`. */
const plan = (
  rows: Axis,
  columns: Axis,
  { groups, inner, outputs, deep, repeats }: Channels
): readonly [number, number] => {
  const span = ({ taps, dilation }: Axis) => (taps - 1) * dilation + 1
  const line = 4 * ((columns.output - 1) * columns.step + span(columns)) * groups * inner * repeats
  const fitting = Math.floor((BLOCK / line - span(rows)) / rows.step) + 1
  const block = Math.max(1, Math.min(rows.output, Math.max(4, fitting)))
  const size = rows.taps * columns.taps * (deep ? 1 : inner)
  const padded = 8 * groups * Math.ceil(outputs / 8)
  const image = line * ((block - 1) * rows.step + span(rows))
  return [block, 64 + 4 * size + 4 * (size + 4) * padded + 4 * padded + 4 * padded * block * columns.output + image]
}

const empty = ({ shape }: TensorInfo): boolean => util.sizeFromShape(shape) === 0

const zero = (running: Running, tensor: TensorInfo): void => {
  call(running, "clear", at(running, tensor), 4 * util.sizeFromShape(tensor.shape))
}

/** How a filter is read, and where the results go: steps in elements. */
interface Strides {
  readonly y: number
  readonly yImage: number
  readonly yRow: number
  readonly yPixel: number
  readonly filter: number
  readonly steps: readonly [row: number, column: number, channel: number, output: number, group: number]
}

const correlate = (
  running: Running,
  [x, filter, bias, y]: readonly [TensorInfo, TensorInfo, TensorInfo | undefined, TensorInfo],
  rows: Axis,
  columns: Axis,
  shape: Channels,
  strides: Strides
): void => {
  if (rows.output <= 0 || columns.output <= 0) return
  const [block, bytes] = plan(rows, columns, shape)
  scratch(running, bytes, (room) =>
    call(
      running,
      "correlate",
      at(running, x),
      at(running, filter) + 4 * strides.filter,
      bias === undefined ? 0 : at(running, bias),
      at(running, y) + 4 * strides.y,
      room,
      x.shape[0] ?? 0,
      block,
      ...numbers(rows),
      ...numbers(columns),
      shape.groups,
      shape.inner,
      shape.outputs,
      Number(shape.deep),
      shape.repeats,
      strides.yImage,
      strides.yRow,
      strides.yPixel,
      ...strides.steps
    )
  )
}

// ---- kernels ------------------------------------------------------------------------------------------------

const forward: Kernel = (running, inputs, attrs) => {
  const [x, filter] = [input(inputs, "x"), input(inputs, "filter")]
  const [n = 0, h = 0, w = 0] = x.shape
  const [kh = 0, kw = 0, inner = 0, co = 0] = filter.shape
  const [oh = 0, ow = 0, groups = 1] = integers(attrs, "output")
  const y = output(running, [n, oh, ow, co])
  if (empty(y)) return y
  const rows = axis(h, oh, kh, integers(attrs, "rows"))
  const columns = axis(w, ow, kw, integers(attrs, "columns"))
  const outputs = co / groups
  const steps = [kw * inner * co, inner * co, co, 1, outputs] as const
  const strides = { y: 0, yImage: oh * ow * co, yRow: ow * co, yPixel: co, filter: 0, steps }
  correlate(
    running,
    [x, filter, inputs.bias, y],
    rows,
    columns,
    channels(groups, inner, outputs, groups > 1 && inner === 1),
    strides
  )
  return y
}

/** The elements of the filter that meet one of `step` phases of the gradient of the image, from the last to the first. */
const phase = ({ input, output, taps, step, dilation, before }: Axis, shift: number) => {
  const meets = Array.from({ length: taps }, (_, tap) => tap).filter(
    (tap) => (shift + before - tap * dilation) % step === 0
  )
  const last = meets.at(-1) ?? 0
  const apart = (meets[1] ?? 0) - (meets[0] ?? 0)
  return {
    last,
    apart,
    along: {
      input: output,
      output: Math.ceil((input - shift) / step),
      taps: meets.length,
      step: 1,
      dilation: meets.length > 1 ? (apart * dilation) / step : 1,
      before: -(shift + before - last * dilation) / step
    }
  }
}

const inputGradient: Kernel = (running, inputs, attrs) => {
  const [dy, filter] = [input(inputs, "dy"), input(inputs, "filter")]
  const [, oh = 0, ow = 0] = dy.shape
  const [kh = 0, kw = 0, inner = 0, co = 0] = filter.shape
  const [n = 0, h = 0, w = 0, ci = 0] = integers(attrs, "shape")
  const [groups = 1] = integers(attrs, "output").slice(2)
  const dx = output(running, [n, h, w, ci])
  if (empty(dx)) return dx
  const outputs = co / groups
  const rows = axis(h, oh, kh, integers(attrs, "rows"))
  const columns = axis(w, ow, kw, integers(attrs, "columns"))
  for (let r = 0; r < rows.step; r++)
    for (let c = 0; c < columns.step; c++) {
      const [down, across] = [phase(rows, r), phase(columns, c)]
      const [row, column] = [kw * inner * co, inner * co]
      const depthwise = groups > 1 && inner === 1 && outputs === 1
      correlate(
        running,
        [dy, filter, undefined, dx],
        down.along,
        across.along,
        channels(groups, outputs, inner, depthwise),
        {
          y: (r * w + c) * ci,
          yImage: h * w * ci,
          yRow: rows.step * w * ci,
          yPixel: columns.step * ci,
          filter: down.last * row + across.last * column,
          steps: [-down.apart * row, -across.apart * column, 1, depthwise ? 1 : co, outputs]
        }
      )
    }
  return dx
}

const filterGradient: Kernel = (running, inputs, attrs) => {
  const [x, dy] = [input(inputs, "x"), input(inputs, "dy")]
  const [n = 0, h = 0, w = 0] = x.shape
  const [, oh = 0, ow = 0, co = 0] = dy.shape
  const [kh = 0, kw = 0, inner = 0] = integers(attrs, "shape")
  const [groups = 1] = integers(attrs, "output").slice(2)
  const dw = output(running, [kh, kw, inner, co])
  if (empty(dw)) return dw
  if (empty(x) || empty(dy)) {
    zero(running, dw)
    return dw
  }
  const rows = axis(h, oh, kh, integers(attrs, "rows"))
  const columns = axis(w, ow, kw, integers(attrs, "columns"))
  const shape = channels(groups, inner, co / groups, groups > 1 && inner === 1)
  const [block, bytes] = plan(rows, columns, shape)
  scratch(running, bytes, (room) =>
    call(
      running,
      "correlateFilter",
      ...[x, dy, dw].map((tensor) => at(running, tensor)),
      room,
      n,
      block,
      ...numbers(rows),
      ...numbers(columns),
      shape.groups,
      shape.inner,
      shape.outputs,
      Number(shape.deep),
      shape.repeats
    )
  )
  return dw
}

export const kernels: Kernels = {
  BreveConv2d: forward,
  BreveConv2dInputGrad: inputGradient,
  BreveConv2dFilterGrad: filterGradient
}

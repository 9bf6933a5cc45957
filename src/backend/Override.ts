/**
 * breve's kernels in the place of TensorFlow.js's own on the WASM backend: for code that calls tfjs directly. Only where it is asked
 * for, because it changes what every user of the backend gets: the gradients that tfjs lacks there (of filters, of depthwise
 * convolutions, of gather), those that it computes slowly, and the fused product of matrices that it computes wrongly.
 *
 * What a kernel of ours does not know (other types, layouts, activations) goes to the one that was there.
 *
 * Room: backend (level 1). Imports: tfjs, `./Kernel.ts`, `./Kernels.ts`. Laws: test/backend/Override.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Running } from "./Kernel.ts"
import { kernels } from "./Kernels.ts"

type Given = tf.NamedTensorInfoMap

/** The attributes of the kernels that are replaced, each of which has some of them. */
interface Attrs
  extends tf._FusedMatMulAttrs,
    Omit<tf.Conv2DBackpropInputAttrs, "inputShape">,
    Pick<tf.DepthwiseConv2dNativeBackpropInputAttrs, "dilations">,
    Pick<tf.MaxPoolGradAttrs, "filterSize"> {
  readonly inputShape: Array<number>
  readonly filterShape: Array<number>
  readonly numSegments: number
}

/** Answers like the kernel of tfjs, or `undefined` where it does not know the case. */
type Instead = (running: Running, inputs: Given, attrs: Attrs) => tf.TensorInfo | undefined

const info = (inputs: Given, name: string): tf.TensorInfo => inputs[name] as tf.TensorInfo
const areFloats = (...tensors: ReadonlyArray<tf.TensorInfo>): boolean =>
  tensors.every(({ dtype }) => dtype === "float32")

const ours = (name: string, running: Running, inputs: Given, attrs: tf.NamedAttrMap): tf.TensorInfo =>
  kernels[name]?.(running, inputs, attrs) as tf.TensorInfo

/** The same data under another shape; it is not disposed of. */
const shaped = (tensor: tf.TensorInfo, shape: Array<number>): tf.TensorInfo => ({ ...tensor, shape })

// ---- products -----------------------------------------------------------------------------------------------

const flags = ({ transposeA, transposeB }: Attrs) => ({
  transposeA: transposeA ? 1 : 0,
  transposeB: transposeB ? 1 : 0
})

const batchMatMul: Instead = (running, inputs, attrs) => {
  const [a, b] = [info(inputs, "a"), info(inputs, "b")]
  return areFloats(a, b) ? ours("BreveMatMul", running, { a, b }, flags(attrs)) : undefined
}

/** With no activation, or the rectifier. */
const fusedMatMul: Instead = (running, inputs, attrs) => {
  const [a, b] = [info(inputs, "a"), info(inputs, "b")]
  const { bias } = inputs
  const activation = attrs.activation ?? "linear"
  if (activation !== "linear" && activation !== "relu") return undefined
  const columns = attrs.transposeB ? b.shape.at(-2) : b.shape.at(-1)
  if (!areFloats(a, b) || (bias !== undefined && tf.util.sizeFromShape(bias.shape) !== columns)) return undefined
  const y = ours("BreveMatMul", running, bias === undefined ? { a, b } : { a, b, bias }, flags(attrs))
  if (activation === "linear") return y
  const rectified = ours("BreveRelu", running, { x: y }, {})
  running.backend.disposeData(y.dataId)
  return rectified
}

// ---- convolutions -------------------------------------------------------------------------------------------

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>

const windows = (at: Info, groups: number): tf.NamedAttrMap => ({
  rows: [at.strideHeight, at.dilationHeight, at.padInfo.top],
  columns: [at.strideWidth, at.dilationWidth, at.padInfo.left],
  output: [at.outHeight, at.outWidth, groups]
})

const infoOf = (input: Array<number>, filter: Array<number>, attrs: Attrs, depthwise: boolean): Info =>
  tf.backend_util.computeConv2DInfo(
    input as [number, number, number, number],
    filter as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    depthwise
  )

const isLast = ({ dataFormat }: Attrs): boolean => dataFormat !== "NCHW"

const inputGradient: Instead = (running, inputs, attrs) => {
  const [dy, filter] = [info(inputs, "dy"), info(inputs, "filter")]
  if (!areFloats(dy, filter) || !isLast(attrs)) return undefined
  const at = infoOf(attrs.inputShape, filter.shape, attrs, false)
  return ours("BreveConv2dInputGrad", running, { dy, filter }, { ...windows(at, 1), shape: attrs.inputShape })
}

const filterGradient: Instead = (running, inputs, attrs) => {
  const [x, dy] = [info(inputs, "x"), info(inputs, "dy")]
  if (!areFloats(x, dy) || !isLast(attrs)) return undefined
  const at = infoOf(x.shape, attrs.filterShape, attrs, false)
  return ours("BreveConv2dFilterGrad", running, { x, dy }, { ...windows(at, 1), shape: attrs.filterShape })
}

/** Of tfjs's depthwise filters `[kh, kw, channels, multiplier]`: as of a convolution with a group for each channel. */
const asGroups = ([kh = 0, kw = 0, channels = 0, multiplier = 0]: ReadonlyArray<number>): Array<number> => [
  kh,
  kw,
  1,
  channels * multiplier
]

const depthwiseInputGradient: Instead = (running, inputs, attrs) => {
  const [dy, filter] = [info(inputs, "dy"), info(inputs, "filter")]
  if (!areFloats(dy, filter)) return undefined
  const at = infoOf(attrs.inputShape, filter.shape, attrs, true)
  const grouped = { dy, filter: shaped(filter, asGroups(filter.shape)) }
  return ours("BreveConv2dInputGrad", running, grouped, { ...windows(at, at.inChannels), shape: attrs.inputShape })
}

const depthwiseFilterGradient: Instead = (running, inputs, attrs) => {
  const [x, dy] = [info(inputs, "x"), info(inputs, "dy")]
  if (!areFloats(x, dy)) return undefined
  const at = infoOf(x.shape, attrs.filterShape, attrs, true)
  const shape = asGroups(attrs.filterShape)
  const dw = ours("BreveConv2dFilterGrad", running, { x, dy }, { ...windows(at, at.inChannels), shape })
  return shaped(dw, attrs.filterShape)
}

// ---- pools and tables ---------------------------------------------------------------------------------------

const maxPoolGradient: Instead = (running, inputs, attrs) => {
  const [dy, x] = [info(inputs, "dy"), info(inputs, "input")]
  if (!areFloats(dy, x)) return undefined
  const at = tf.backend_util.computePool2DInfo(
    x.shape as [number, number, number, number],
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode
  )
  return ours(
    "BreveMaxPoolGrad",
    running,
    { x, dy },
    {
      rows: [at.filterHeight, at.strideHeight, at.dilationHeight, at.padInfo.top],
      columns: [at.filterWidth, at.strideWidth, at.dilationWidth, at.padInfo.left],
      output: [at.outHeight, at.outWidth],
      shape: x.shape,
      count: 0
    }
  )
}

/** As tfjs says: rows whose segment is not there are left out. */
const segmentSum: Instead = (running, inputs, attrs) => {
  const [x, ids] = [info(inputs, "x"), info(inputs, "segmentIds")]
  if (!areFloats(x) || ids.dtype !== "int32") return undefined
  const count = attrs.numSegments
  const read = (running.backend as unknown as tf.KernelBackend).readSync(ids.dataId) as Int32Array
  if (read.some((id) => id < 0 || id >= count)) return undefined
  const rest = x.shape.slice(1)
  const dy = shaped(x, [ids.shape[0] as number, tf.util.sizeFromShape(rest)])
  const sums = ours("BreveGatherGrad", running, { dy, indices: ids }, { rows: count })
  return shaped(sums, [count, ...rest])
}

const instead: Readonly<Record<string, Instead>> = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  Conv2DBackpropInput: inputGradient,
  Conv2DBackpropFilter: filterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  MaxPoolGrad: maxPoolGradient,
  UnsortedSegmentSum: segmentSum
}

/** The names of tfjs's kernels that are replaced. */
export const names: ReadonlyArray<string> = Object.keys(instead)

/** What was there before, by name: `undefined` where there was nothing. */
const replaced = new Map<string, tf.KernelConfig | undefined>()

/** Puts breve's kernels in the place of tfjs's; a second call does nothing. */
export const register = (running: (backend: unknown) => Running): void => {
  for (const [kernelName, kernel] of Object.entries(instead)) {
    if (replaced.has(kernelName)) continue
    const before = tf.getKernel(kernelName, "wasm")
    replaced.set(kernelName, before)
    if (before !== undefined) tf.unregisterKernel(kernelName, "wasm")
    const kernelFunc: tf.KernelFunc = (params) => {
      const answer = kernel(running(params.backend), params.inputs, (params.attrs ?? {}) as unknown as Attrs)
      if (answer !== undefined) return answer
      if (before === undefined)
        throw new Error(`${kernelName} on the WASM backend: neither tfjs nor breve knows this case`)
      return before.kernelFunc(params)
    }
    tf.registerKernel({ ...before, kernelName, backendName: "wasm", kernelFunc })
  }
}

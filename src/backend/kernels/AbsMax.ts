/**
 * The largest magnitudes, of everything or along one axis, and their gradients: on their own, or added in place to a gradient that
 * belongs to nothing else.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Extremum.test.ts.
 */
import { type NamedAttrMap, type NamedTensorInfoMap, type TensorInfo, util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output, type Running, scratch } from "../Kernel.ts"

/** How many places absMax.ts has room for. */
const places = 1024

const layout = (attrs: NamedAttrMap): readonly [outer: number, length: number, inner: number] => [
  number(attrs, "outer"),
  number(attrs, "length"),
  number(attrs, "inner")
]

const forward: Kernel = (running, inputs) => {
  const x = input(inputs, "x")
  const y = output(running, [])
  call(running, "absMax", at(running, x), util.sizeFromShape(x.shape), at(running, y))
  return y
}

const forwardAlong: Kernel = (running, inputs, attrs) => {
  const y = output(running, attrs.shape as Array<number>)
  call(running, "absMaxAlong", at(running, input(inputs, "x")), ...layout(attrs), at(running, y))
  return y
}

/** Writes or adds the gradient of everything, or of slices along an axis, to `dx`. */
const write = (
  running: Running,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  dx: TensorInfo,
  adds: boolean
): void => {
  const x = input(inputs, "x")
  const [extremum, dy] = [input(inputs, "extremum"), input(inputs, "dy")]
  const flag = adds ? 1 : 0
  if (attrs.inner === undefined) {
    const size = util.sizeFromShape(x.shape)
    scratch(running, 4 * places, (room) => {
      const tensors = [extremum, dy, dx].map((tensor) => at(running, tensor))
      call(running, "absMaxGrad", at(running, x), size, ...tensors, flag, room)
    })
    return
  }
  const [outer, length, inner] = layout(attrs)
  scratch(running, 4 * inner, (open) => {
    const tensors = [extremum, dy, dx].map((tensor) => at(running, tensor))
    call(running, "absMaxAlongGrad", at(running, x), outer, length, inner, ...tensors, flag, open)
  })
}

const backward: Kernel = (running, inputs, attrs) => {
  const dx = output(running, input(inputs, "x").shape)
  write(running, inputs, attrs, dx, false)
  return dx
}

/** Changes `dx` itself; answers nothing of interest. */
const amending: Kernel = (running, inputs, attrs) => {
  const done = output(running, [0])
  write(running, inputs, attrs, input(inputs, "dx"), true)
  return done
}

export const kernels: Kernels = {
  BreveAbsMax: forward,
  BreveAbsMaxAlong: forwardAlong,
  BreveAbsMaxGrad: backward,
  BreveAbsMaxAmend: amending
}

/**
 * The largest magnitude and its gradient.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/Extremum.test.ts.
 */
import { util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, output } from "../Kernel.ts"

const forward: Kernel = (running, inputs) => {
  const x = input(inputs, "x")
  const y = output(running, [])
  call(running, "absMax", at(running, x), util.sizeFromShape(x.shape), at(running, y))
  return y
}

const backward: Kernel = (running, inputs) => {
  const [x, extremum, dy] = [input(inputs, "x"), input(inputs, "extremum"), input(inputs, "dy")]
  const dx = output(running, x.shape)
  const size = util.sizeFromShape(x.shape)
  call(running, "absMaxGrad", at(running, x), size, ...[extremum, dy, dx].map((tensor) => at(running, tensor)))
  return dx
}

export const kernels: Kernels = { BreveAbsMax: forward, BreveAbsMaxGrad: backward }

/**
 * Minifloats, signs and their gradients, powers of two, and rows of memory.
 *
 * Room: backend (level 1). Imports: tfjs, `../Kernel.ts`. Laws: test/op/MinifloatQuant.test.ts, test/op/SignQuant.test.ts, test/op/PowerOfTwo.test.ts,
 * test/op/View.test.ts.
 */
import { util } from "@tensorflow/tfjs-core"
import { at, call, input, type Kernel, type Kernels, number, output, scratch } from "../Kernel.ts"

const layout = ["outer", "repeats", "channels", "inner", "scaleStep"] as const
const format = ["least", "down", "low", "high", "kind", "overflow"] as const

const forward: Kernel = (running, inputs, attrs) => {
  const [x, scale] = [input(inputs, "x"), input(inputs, "scale")]
  const y = output(running, x.shape)
  const tensors = [x, scale, y].map((tensor) => at(running, tensor))
  call(running, "levels", ...tensors, ...[...layout, ...format].map((name) => number(attrs, name)))
  return y
}

const backward: Kernel = (running, inputs, attrs) => {
  const [x, scale] = [input(inputs, "x"), input(inputs, "scale")]
  const to = [output(running, x.shape), output(running, scale.shape)]
  const numbers = [...layout, ...format, "passes"].map((name) => number(attrs, name))
  const run = (sums: number): number => {
    const tensors = [x, scale, input(inputs, "dy"), ...to].map((tensor) => at(running, tensor))
    return call(running, "levelsGrad", ...tensors, sums, ...numbers)
  }
  // three vectors, and a double for each channel, where the channels are the innermost axis; else sixteen
  const bytes = 48 + 8 * (number(attrs, "inner") === 1 ? number(attrs, "channels") + 4 : 16)
  if (util.sizeFromShape(scale.shape) > 0) scratch(running, bytes, run)
  return to
}

const powerOfTwo: Kernel = (running, inputs, attrs) => {
  const x = input(inputs, "x")
  const y = output(running, x.shape)
  const size = util.sizeFromShape(x.shape)
  call(running, "powerOfTwo", at(running, x), at(running, y), size, number(attrs, "rounding"))
  return y
}

const atLeast: Kernel = (running, inputs, attrs) => {
  const x = input(inputs, "x")
  const y = output(running, x.shape)
  const size = util.sizeFromShape(x.shape)
  call(running, "atLeast", at(running, x), at(running, y), size, number(attrs, "bound"))
  return y
}

/** The shape of x with another size of one axis. */
const along = ({ shape }: { readonly shape: ReadonlyArray<number> }, axis: number, size: number): Array<number> =>
  shape.map((d, i) => (i === axis ? size : d))

const resize: Kernel = (running, inputs, attrs) => {
  const [x, axis, size] = [input(inputs, "x"), number(attrs, "axis"), number(attrs, "size")]
  const y = output(running, along(x, axis, size))
  const count = util.sizeFromShape(x.shape.slice(0, axis))
  const bytes = 4 * util.sizeFromShape(x.shape.slice(axis + 1))
  call(running, "resize", at(running, x), at(running, y), count, (x.shape[axis] as number) * bytes, size * bytes)
  return y
}

const repeat: Kernel = (running, inputs, attrs) => {
  const [x, axis, size] = [input(inputs, "x"), number(attrs, "axis"), number(attrs, "size")]
  const y = output(running, along(x, axis, size))
  const count = util.sizeFromShape(x.shape.slice(0, axis))
  call(running, "repeat", at(running, x), at(running, y), count, size, 4 * util.sizeFromShape(x.shape.slice(axis + 1)))
  return y
}

export const kernels: Kernels = {
  BreveLevels: forward,
  BreveLevelsGrad: backward,
  BrevePowerOfTwo: powerOfTwo,
  BreveAtLeast: atLeast,
  BreveResize: resize,
  BreveRepeat: repeat
}

/**
 * What a weight quantizer makes of one column: its scales are those that it has for the weight as it was at first.
 *
 * A quantizer of integers with a scale per tensor or channel is asked for its scales and bounds once, and its formula is then
 * computed on numbers, provided that this gives the very values that the quantizer gives for the weight itself. Any other one
 * quantizes the whole weight for each column.
 *
 * Room: ptq (level 5). Imports: tfjs, `core`, `nn`, `./Ptq.ts`, `./Unfold.ts`. Laws: test/ptq/Steps.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { External } from "../core/TensorQuantizer.ts"
import * as Layer from "../nn/Layer.ts"
import type { Weighted } from "../nn/Weighted.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import type { Host } from "./Ptq.ts"
import * as Unfold from "./Unfold.ts"

/** The values of a column of a group, for the values that it is to have. */
export type Rounding = (group: number, column: number, values: Float64Array) => Float64Array

/** The format of the inputs of a layer, for weight quantizers that depend on it. */
export interface Format {
  readonly bitWidth: number
  readonly signed: boolean
  /** of all inputs, where they have one */
  readonly scale?: number | undefined
  readonly zeroPoint?: number | undefined
}

/** What a quantizer answers to a weight, as numbers; scale and zero-point as one for each output, if they are so. */
interface Answered {
  readonly value: Float32Array
  readonly scale: Float32Array | undefined
  readonly zeroPoint: Float32Array | undefined
}

const perOutput = (x: tf.Tensor, outputs: number): Float32Array | undefined => {
  if (x.size === 1) return new Float32Array(outputs).fill(x.dataSync()[0] as number)
  return x.size === outputs && x.shape.at(-1) === outputs ? Float32Array.from(x.dataSync()) : undefined
}

/** Quantizes a weight as the layer would at this moment, with the statistics of the weight that it has. */
const asking =
  (layer: Weighted, proxy: QuantProxy, lie: Unfold.Lie, shape: ReadonlyArray<number>, format: Format | undefined) =>
  (data: Float32Array): Answered => {
    const answer: { value?: Answered } = {}
    tf.tidy(() => {
      const states = Layer.prepare(Layer.read(layer), Layer.evaluation)
      const external: External =
        format === undefined ? {} : { bitWidth: tf.scalar(format.bitWidth), signed: format.signed }
      const x = tf.tensor(data, [...shape])
      const [y] = Layer.quantize(states, proxy, x, Layer.evaluation, external)
      const value = Float32Array.from(QuantTensor.dequantized(y).dataSync())
      const integers = QuantTensor.isQuantTensor(y) && y.float === undefined && y.grouped === undefined
      answer.value = {
        value,
        scale: integers ? perOutput(y.scale, lie.outputs) : undefined,
        zeroPoint: integers ? perOutput(y.zeroPoint, lie.outputs) : undefined
      }
    })
    return answer.value as Answered
  }

const even = (x: number): number => {
  const r = Math.round(x)
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r
}

/** The formula of integers for an output: `(clamp(round(w / s + z), low, high) - z) s`, in single precision. */
const formula = (
  { scale, zeroPoint }: { readonly scale: Float32Array; readonly zeroPoint: Float32Array },
  low: Float32Array,
  high: Float32Array
) => {
  const { fround } = Math
  return (w: number, output: number): number => {
    const [s, z] = [scale[output] as number, zeroPoint[output] as number]
    const q = even(fround(fround(fround(w) / s) + z))
    const clamped = Math.min(Math.max(q, low[output] as number), high[output] as number)
    return fround(fround(clamped - z) * s)
  }
}

const outputs = (lie: Unfold.Lie, f: (output: number) => number): Float32Array =>
  Float32Array.from({ length: lie.outputs }, (_, output) => f(output))

/** The formula on numbers, if the quantizer is one of integers and nothing else. */
const onNumbers = (
  ask: (data: Float32Array) => Answered,
  lie: Unfold.Lie,
  weight: Host
): ((w: number, output: number) => number) | undefined => {
  const own = ask(weight.data)
  const { scale, zeroPoint } = own
  if (scale === undefined || zeroPoint === undefined) return undefined
  // far beyond the bounds
  const far = (sign: number): Answered => ask(new Float32Array(weight.data.length).fill(sign * 1e30))
  const bound = (answer: Answered): Float32Array =>
    outputs(lie, (i) => even((answer.value[i] as number) / (scale[i] as number) + (zeroPoint[i] as number)))
  const [least, most] = [far(-1), far(1)]
  const f = formula({ scale, zeroPoint }, bound(least), bound(most))
  const same = (value: Float32Array, data: (i: number) => number): boolean =>
    value.every((y, i) => y === f(data(i), i % lie.outputs))
  // beyond the bounds all elements of an output are the same
  const ends = [least, most].map(({ value }) => value.subarray(0, lie.outputs)) as [Float32Array, Float32Array]
  const holds =
    same(own.value, (i) => weight.data[i] as number) && same(ends[0], () => -1e30) && same(ends[1], () => 1e30)
  return holds ? f : undefined
}

/** The rounding of a layer's columns by its own quantizer. */
export const of = (
  layer: Weighted,
  proxy: QuantProxy,
  lie: Unfold.Lie,
  weight: Host,
  format: Format | undefined
): Rounding => {
  const ask = asking(layer, proxy, lie, weight.shape, format)
  const f = onNumbers(ask, lie, weight)
  const each = lie.outputs / lie.groups
  if (f !== undefined)
    return (group, _, values) => {
      const rounded = new Float64Array(values.length)
      for (let i = 0; i < values.length; i++) rounded[i] = f(values[i] as number, group * each + i)
      return rounded
    }
  const data = weight.data.slice()
  return (group, column, values) => {
    Unfold.put(lie, data, group, column, values)
    return Unfold.take(lie, ask(data).value, group, column)
  }
}

/** The scales of the outputs, if the weight is one of integers around 0 with a scale per tensor or channel. */
export const scalesOf = (
  layer: Weighted,
  proxy: QuantProxy,
  lie: Unfold.Lie,
  weight: Host,
  format: Format | undefined
): Float32Array | undefined => {
  const { scale, zeroPoint } = asking(layer, proxy, lie, weight.shape, format)(weight.data)
  return zeroPoint?.every((z) => z === 0) === true ? scale : undefined
}

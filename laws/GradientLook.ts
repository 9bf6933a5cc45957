/**
 * The gradients through a quantizer in numbers, and the cases of the laws about them.
 *
 * Room: laws. Imports: tfjs, `tensor`, fast-check, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import * as Gradient from "../src/tensor/Gradient.ts"
import * as Tree from "../src/tensor/Tree.ts"
import * as Claims from "./Claims.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import * as Sample from "./Sample.ts"
import * as Subject from "./Subject.ts"

const { tidied, unitsOf } = Look

/** What flows back to the input, and to what is learned. */
export interface Gradients {
  /** absent: nothing flows back */
  readonly dx: Float32Array | undefined
  readonly shape: ReadonlyArray<number> | undefined
  /** what is learned by name, and its gradient */
  readonly learned: ReadonlyArray<{
    readonly name: string
    readonly value: Float32Array
    readonly gradient: Float32Array | undefined
  }>
}

/** The gradients of `sum(dy * q(x))`. */
const computed = (ready: Subject.Ready, x: Sample.Sample, dy: Float32Array): Gradients =>
  tidied(() => {
    const leaves = Tree.leaves(ready.state.parameters)
    const upstream = Sample.toTensor({ shape: x.shape, values: dy })
    const loss = ([input, ...parameters]: ReadonlyArray<tf.Tensor>): tf.Tensor => {
      const named = new Map(leaves.map(([name], i) => [name, parameters[i] as tf.Tensor]))
      const state = {
        ...ready.state,
        parameters: Tree.map(ready.state.parameters, (leaf, name) => named.get(name) ?? leaf)
      }
      const { value } = Subject.quantize({ ...ready, state }, input as tf.Tensor)
      return tf.sum(tf.mul(value, upstream)) as tf.Tensor
    }
    const inputs = [Sample.toTensor(x), ...leaves.map(([, leaf]) => leaf)]
    const { gradients } = Gradient.valueAndGradients(loss, inputs)
    const numbers = (one: tf.Tensor | null | undefined): Float32Array | undefined =>
      one ? Float32Array.from(one.dataSync()) : undefined
    return {
      dx: numbers(gradients[0]),
      shape: gradients[0]?.shape,
      learned: leaves.map(([name, leaf], i) => ({
        name,
        value: Float32Array.from(leaf.dataSync()),
        gradient: numbers(gradients[i + 1])
      }))
    }
  })

interface Seen {
  readonly ready: Subject.Ready
  readonly dy: Float32Array
  readonly gradients: Gradients
}
const memo = new WeakMap<Sample.Sample, Seen>()

/** The same, computed once where several laws ask for it one after another. */
export const gradientsOf = (ready: Subject.Ready, x: Sample.Sample, dy: Float32Array): Gradients => {
  const last = memo.get(x)
  if (last?.ready === ready && last.dy === dy) return last.gradients
  const gradients = computed(ready, x, dy)
  memo.set(x, { ready, dy, gradients })
  return gradients
}

/** What is multiplied with each value: whole numbers, none of them 0, so that nothing is lost in them. */
export const upstream = (ready: Subject.Ready): fc.Arbitrary<Float32Array> =>
  fc.record({ from: fc.integer({ min: 1, max: 7 }), by: fc.integer({ min: 0, max: 5 }) }).map(({ from, by }) => {
    const n = ready.shape.reduce((a, b) => a * b, 1)
    return Float32Array.from({ length: n }, (_, i) => ((from + by * i) % 7) + 1)
  })
/** Tensors, and what is multiplied with each value. */
export const flowing = (ready: Subject.Ready) => ({ x: QuantizerLaw.inputs(ready), dy: upstream(ready) })

/** Elements that no statistic picks out: neither the largest nor the smallest of those that have a scale together. */
export const unremarkable = (ready: Subject.Ready, { values }: Sample.Sample): ((i: number) => boolean) => {
  if (!Claims.follows(ready.promised.facts)) return () => true
  const { scale } = ready.promised.facts
  const last = ready.shape.at(-1) ?? 1
  const byChannel = scale?.statistic?.includes("channels'") === true
  const units = byChannel ? [...values.keys()].map((i) => i % last) : unitsOf(ready.promised.facts, ready.shape)
  const extremes = new Map<number, { low: number; high: number; size: number }>()
  for (const [i, unit] of units.entries()) {
    const v = values[i] as number
    const { low, high, size } = extremes.get(unit) ?? { low: 0, high: v, size: 0 }
    extremes.set(unit, { low: Math.min(low, v), high: Math.max(high, v), size: Math.max(size, Math.abs(v)) })
  }
  return (i) => {
    const { low, high, size } = extremes.get(units[i] as number) ?? { low: 0, high: 0, size: 0 }
    const v = values[i] as number
    return v > low && v < high && Math.abs(v) < size
  }
}

/** Equal up to a relative difference. */
export const close = (a: number, b: number, relative: number): boolean =>
  Math.abs(a - b) <= relative * Math.max(Math.abs(a), Math.abs(b), 2 ** -60)

/** What an element's gradient is where rounding and clamping let it through: the scales that round and multiply may differ. */
export const passedOn = ({ scale, preScale }: Look.Look, dy: ArrayLike<number>, i: number): number =>
  ((dy[i] as number) * (scale[i] as number)) / (preScale[i] as number)

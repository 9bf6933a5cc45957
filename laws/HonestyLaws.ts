/**
 * What a quantizer owes to whoever calls it: shapes, the same bits again, honest NaN, no trace.
 *
 * Room: laws. Imports: tfjs, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Arbitrary from "./Arbitrary.ts"
import * as Claims from "./Claims.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import * as Sample from "./Sample.ts"
import * as Subject from "./Subject.ts"

const { every, fresh, look, same, tidied } = Look

/** The value has the shape of the input, and is float32. */
export const shape: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "shape",
    states: "shape(q(x)) = shape(x), dtype(q(x)) = float32",
    claimed: "always",
    conditions: []
  },
  QuantizerLaw.anything,
  (ready, { x }) => {
    const { dtype, shape } = look(ready, x)
    if (dtype !== "float32") return `it answers ${dtype}`
    return tf.util.arraysEqual([...shape], [...x.shape]) || `it answers the shape [${shape.join(", ")}]`
  }
)

/** Nothing of nothing. */
export const nothing: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "nothing",
    states: "shape(x) = [0, ...] => shape(q(x)) = [0, ...]",
    claimed: "where a scale is not one for each element",
    conditions: [Claims.anyLength]
  },
  (ready) => ({ x: Arbitrary.tensor({ shape: [0, ...ready.shape.slice(1)] }) }),
  (ready, { x }) =>
    tidied(() => {
      const { value } = Subject.quantize(ready, Sample.toTensor(x))
      return tf.util.arraysEqual(value.shape, [...x.shape]) || `it answers the shape [${value.shape.join(", ")}]`
    })
)

/** The same input gives the same bits. */
export const deterministic: QuantizerLaw.Any = QuantizerLaw.forAll(
  { name: "deterministic", states: "q(x) = q(x), bit for bit", claimed: "always", conditions: [] },
  QuantizerLaw.anything,
  (ready, { x }) => {
    const [first, second] = [look(ready, x), fresh(ready, x)]
    return every(
      x.values.keys(),
      first,
      (i) => !same(first.value[i], second.value[i]) && `and the second time ${second.value[i]}`
    )
  }
)

/** NaN stays NaN at its place; where the scale does not follow the tensor, it does nothing to the others. */
export const nan: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "NaN",
    states: "x_i is NaN => q(x)_i is NaN",
    claimed: "always",
    conditions: []
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready, ["nan", "special"]) }),
  (ready, { x }) => {
    const seen = look(ready, x)
    const nans = [...x.values.keys()].filter((i) => Number.isNaN(x.values[i]))
    return every(nans, seen, (i) => !Number.isNaN(seen.value[i]) && "a number")
  }
)

/** Infinity becomes the largest value, infinity or NaN, never something small. */
export const infinite: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "infinity",
    states: "x_i = +-infinity => q(x)_i is NaN, or as large as the largest value of its grid, of the same sign",
    claimed: "always",
    conditions: []
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready, ["special"]) }),
  (ready, { x }) => {
    const seen = look(ready, x)
    const infinities = [...x.values.keys()].filter((i) => !Number.isNaN(x.values[i]) && !Number.isFinite(x.values[i]))
    const alike = (i: number, j: number): boolean =>
      same(seen.scale[i], seen.scale[j]) && same(seen.zeroPoint[i], seen.zeroPoint[j])
    return every(infinities, seen, (i) => {
      const [value, up] = [seen.value[i] as number, (x.values[i] as number) > 0]
      if (Number.isNaN(value)) return false
      const beyond = [...x.values.keys()].find(
        (j) => alike(i, j) && (up ? (seen.value[j] as number) > value : (seen.value[j] as number) < value)
      )
      return beyond !== undefined && `but element ${beyond}, ${x.values[beyond]}, becomes ${seen.value[beyond]}`
    })
  }
)

/** The input is only read. */
export const reading: QuantizerLaw.Any = QuantizerLaw.forAll(
  { name: "reading", states: "x after q(x) = x before, bit for bit", claimed: "always", conditions: [] },
  QuantizerLaw.anything,
  (ready, { x }) => {
    const { after } = look(ready, x)
    const changed = [...after.keys()].find((i) => !same(after[i], x.values[i]))
    return changed === undefined || `element ${changed}, ${x.values[changed]}, has become ${after[changed]}`
  }
)

/** Whoever disposes what a call answers, or tidies around it, is left with nothing. */
export const traceless: QuantizerLaw.Any = QuantizerLaw.forAll(
  { name: "traceless", states: "tensors after tidy(q(x)) = tensors before", claimed: "always", conditions: [] },
  QuantizerLaw.anything,
  (ready, { x }) => {
    const { left } = look(ready, x)
    return left === 0 || `${left} tensors are left`
  }
)

export const all: ReadonlyArray<QuantizerLaw.Any> = [shape, nothing, deterministic, nan, infinite, reading, traceless]

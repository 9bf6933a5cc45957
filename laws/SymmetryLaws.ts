/**
 * What a quantizer does alike: a second time, on the other side of zero, to larger tensors, in another order, in other parts.
 *
 * Room: laws. Imports: fast-check, its own room.
 */
import * as fc from "fast-check"
import * as Arbitrary from "./Arbitrary.ts"
import * as Claims from "./Claims.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import * as Sample from "./Sample.ts"
import type { Ready } from "./Subject.ts"

const { again, equal, every, look, onGrid, positionOf, unitsOf } = Look

const largest = (values: Float32Array): number => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)

// ---- a second time ------------------------------------------------------------------------------------------

/** What lies on a grid stays there, wherever the grid is the same the second time. */
export const idempotent: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "idempotent",
    states: "q(q(x))_i = q(x)_i where s(q(x))_i = s(x)_i and z(q(x))_i = z(x)_i",
    claimed: "where one scale rounds and multiplies, and rounding in float32 cannot lead to another code",
    conditions: [Claims.oneScale, Claims.steady]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const once = look(ready, x)
    const twice = again(ready, once, x)
    const alike = onGrid(once).filter(
      (i) => once.scale[i] === twice.scale[i] && once.zeroPoint[i] === twice.zeroPoint[i]
    )
    return every(alike, once, (i) => {
      const [a, b, s] = [once.value[i] as number, twice.value[i] as number, once.scale[i] as number]
      const slack = 2 ** -22 * Math.abs(a / s) >= 0.25 ? 2 ** -21 * Math.abs(a) : 0
      return !equal(a, b) && !(Math.abs(a - b) <= slack) && `and then ${b}`
    })
  }
)

/** Quantizing what was quantized changes nothing, its scale included, apart from the last bits of a float32. */
export const requantized: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "requantized",
    states: "q(q(x)) = q(x)",
    claimed: "of scales that are fixed, or follow the largest magnitude of a symmetric range",
    conditions: [Claims.reproducing, Claims.steady]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const once = look(ready, x)
    const twice = again(ready, once, x)
    const slack = 2e-6 * largest(once.value.filter(Number.isFinite))
    return every(onGrid(once), once, (i) => {
      const [a, b] = [once.value[i] as number, twice.value[i] as number]
      return !equal(a, b) && !(Math.abs(a - b) <= slack) && `and then ${b}`
    })
  }
)

// ---- around zero --------------------------------------------------------------------------------------------

/** Nothing becomes nothing. */
export const zero: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "zero",
    states: "x_i = 0 => q(x)_i = 0",
    claimed: "where zero is one of the values: its zero-point is whole, and it is not binary",
    conditions: [Claims.hasZero]
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready, ["sparse", "zeros", "ties", "equal"]) }),
  (ready, { x }) => {
    const seen = look(ready, x)
    const zeros = onGrid(seen).filter((i) => seen.x[i] === 0)
    return every(zeros, seen, (i) => seen.value[i] !== 0 && "not 0")
  }
)

/** The negative of a tensor becomes the negative, wherever both are within the range. */
export const sign: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "sign",
    states: "q(-x)_i = -q(x)_i where |x_i / s_i| <= min(-low, high)",
    claimed: "of signed formats without a zero-point whose rounding is symmetric",
    conditions: [Claims.symmetric]
  },
  QuantizerLaw.ordinary,
  (ready, { x }) => {
    const { facts } = ready.promised
    const [low, high] = Claims.rangeOf(facts) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    const [there, back] = [
      look(ready, x),
      look(
        ready,
        Sample.map(x, (v) => -v)
      )
    ]
    const reach = -low === high ? Number.POSITIVE_INFINITY : Math.min(-low, high)
    const inside = onGrid(there).filter((i) => Math.abs(positionOf(there, i)) <= reach)
    const counted = facts.format.kind === "binary" ? inside.filter((i) => x.values[i] !== 0) : inside
    return every(counted, there, (i) => {
      const value = back.value[i] as number
      return !equal(value, -(there.value[i] as number)) && `and its negative ${value}`
    })
  }
)

// ---- larger tensors -----------------------------------------------------------------------------------------

/** A scale that follows the tensor follows its size: powers of two change no bit of the mantissas. */
export const scaling: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "scale equivariance",
    states: "q(2^k x) = 2^k q(x)",
    claimed: "of scales that are statistics of each call, in floats or powers of two",
    conditions: [Claims.following]
  },
  (ready) => ({
    x: QuantizerLaw.inputs(ready, ["bell", "ties", "outlier", "positive", "negative"]),
    k: fc.integer({ min: -6, max: 6 })
  }),
  (ready, { x, k }) => {
    const [small, large] = [
      look(ready, x),
      look(
        ready,
        Sample.map(x, (v) => v * 2 ** k)
      )
    ]
    return every(onGrid(small), small, (i) => {
      const [a, b] = [small.value[i] as number, large.value[i] as number]
      return !equal(a * 2 ** k, b) && `but ${2 ** k} times as much becomes ${b}`
    })
  }
)

// ---- other orders -------------------------------------------------------------------------------------------

/** Where each element goes within its part, and each part: a turn, or the other way round. */
interface Order {
  readonly turn: number
  readonly reversed: boolean
}
const order: fc.Arbitrary<Order> = fc.record({ turn: fc.nat(7), reversed: fc.boolean() }, { noNullPrototype: true })
const turned = ({ turn, reversed }: Order, i: number, n: number): number => {
  const at = (i + turn) % n
  return reversed ? n - 1 - at : at
}

/** A permutation that keeps the elements of each part together, and is the same in all of them. */
const permutation = ({ promised, shape }: Ready, within: Order): ReadonlyArray<number> => {
  const units = unitsOf(promised.facts, shape)
  const members = new Map<number, Array<number>>()
  for (const [i, unit] of units.entries()) members.set(unit, [...(members.get(unit) ?? []), i])
  const to = [...units.keys()]
  for (const part of members.values())
    for (const [i, from] of part.entries()) to[from] = part[turned(within, i, part.length)] as number
  return to
}

/** The order of the elements that have a scale together does not matter. */
export const permuting: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "permutation equivariance",
    states: "q(P x) = P q(x), P within the tensor, each channel, each group or each row",
    claimed: "where no sum depends on the order",
    conditions: [Claims.orderless]
  },
  (ready) => ({ x: QuantizerLaw.inputs(ready), order }),
  (ready, { x, order }) => {
    const to = permutation(ready, order)
    const moved = new Float32Array(x.values.length)
    for (const [from, at] of to.entries()) moved[at] = x.values[from] as number
    const [here, there] = [look(ready, x), look(ready, Sample.make(x.shape, moved))]
    return every(here.x.keys(), here, (i) => {
      const value = there.value[to[i] as number]
      return !equal(here.value[i], value) && `and ${value} at another place`
    })
  }
)

/** What is in one part of a tensor does not change what becomes of the others. */
export const independent: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "independence",
    states:
      "x_i = y_i for all i of a part => q(x)_i = q(y)_i there; a part is what has a scale together, an element if it is fixed",
    claimed: "where the scale does not follow the whole tensor",
    conditions: [Claims.separate]
  },
  (ready) => ({
    x: QuantizerLaw.inputs(ready),
    y: QuantizerLaw.inputs(ready, Arbitrary.ordinary),
    part: fc.nat(1000)
  }),
  (ready, { x, y, part }) => {
    const { facts } = ready.promised
    const units = Claims.follows(facts) ? unitsOf(facts, ready.shape) : [...x.values.keys()]
    const one = units[part % units.length]
    const mixed = x.values.map((v, i) => (units[i] === one ? v : (y.values[i] as number)))
    const [here, there] = [look(ready, x), look(ready, Sample.make(x.shape, mixed))]
    const kept = [...units.keys()].filter((i) => units[i] === one)
    return every(kept, here, (i) => {
      const value = there.value[i]
      return !equal(here.value[i], value) && `and ${value} beside other values`
    })
  }
)

export const all: ReadonlyArray<QuantizerLaw.Any> = [
  idempotent,
  requantized,
  zero,
  sign,
  scaling,
  permuting,
  independent
]

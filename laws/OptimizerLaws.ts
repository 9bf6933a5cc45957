/**
 * The laws of optimisers: without a gradient nothing moves, a run that is taken up again goes on with the same bits, parameters do not
 * see each other, and nothing is left of a step.
 *
 * A case is a number of steps and the seed of parameters and gradients.
 *
 * Room: laws. Imports: fast-check, tfjs, `core`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import type * as Optimizer from "../src/core/Optimizer.ts"
import * as Bits from "./Bits.ts"
import { numbersFrom } from "./KernelLaws.ts"
import * as Law from "./Law.ts"
import { tidied } from "./Look.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What the laws are about. */
export interface Optimizing {
  readonly name: string
  readonly optimizer: Optimizer.Optimizer
  /** why parameters move without a gradient; absent: they do not */
  readonly decays?: string
  /** why a parameter's step depends on the others; absent: it does not */
  readonly together?: string
}

type Tensors = Optimizer.Named<tf.Tensor>
type Numbers = Optimizer.Named<Float32Array>

// ---- cases --------------------------------------------------------------------------------------------------

interface Case {
  readonly seed: number
  readonly steps: number
}
const parts = { seed: fc.nat(1e5), steps: fc.integer({ min: 1, max: 5 }) }

const shapes = { bias: [3], weight: [2, 3], scale: [] } as const

/** Numbers from -2 to 2, for each parameter. */
const drawn = (seed: number): Tensors => {
  const next = numbersFrom(seed)
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const values = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => (next() % 4001) / 1000 - 2)
      return [name, tf.tensor(values, [...shape], "float32")]
    })
  )
}
const numbersOf = (tensors: Tensors): Numbers =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, Float32Array.from(x.dataSync())]))

type Step = readonly [parameters: Tensors, state: Optimizer.State]

/** The steps from one number to another, each with gradients of its own. */
const stepped = (optimizer: Optimizer.Optimizer, from: Step, seed: number, first: number, last: number): Step =>
  Array.from({ length: last - first }, (_, i) => first + i).reduce<Step>(
    ([parameters, state], i) => optimizer.update(state, parameters, drawn(seed + 1 + i)),
    from
  )

const begun = (optimizer: Optimizer.Optimizer, seed: number): Step => {
  const parameters = drawn(seed)
  return [parameters, optimizer.init(parameters)]
}

/** The first number that differs, by the name of its parameter. */
const alike = (got: Numbers, wanted: Numbers): Law.Holds => {
  for (const [name, values] of Object.entries(wanted)) {
    const wrong = Bits.difference(got[name] ?? [], values, (i) => `${name}[${i}]`)
    if (wrong !== undefined) return wrong
  }
  return true
}

// ---- laws ---------------------------------------------------------------------------------------------------

/** Where all gradients are 0 from the beginning on, parameters stay, bit for bit. */
export const still: Law.Law<Optimizing> = Law.forAll<Optimizing, Case>(
  {
    name: "without a gradient nothing moves",
    states: "update(init(p), p, 0) = p, step after step",
    claimed: "of optimisers without weight decay",
    unclaimed: ({ decays }) => decays
  },
  parts,
  ({ optimizer }, { seed, steps }) =>
    tidied(() => {
      const [start, state] = begun(optimizer, seed)
      const zeros = Object.fromEntries(Object.entries(start).map(([name, x]) => [name, tf.zerosLike(x)]))
      const [end] = Array.from({ length: steps }).reduce<Step>(
        ([parameters, now]) => optimizer.update(now, parameters, zeros),
        [start, state]
      )
      return alike(numbersOf(end), numbersOf(start))
    })
)

/** A parameter that has no gradient is not touched: it is the same tensor. */
export const untouched: Law.Law<Optimizing> = Law.forAll<Optimizing, Case>(
  { name: "what has no gradient is the same tensor", states: "dp = null => p' is p, and nothing is kept beside it" },
  parts,
  ({ optimizer }, { seed, steps }) =>
    tidied(() => {
      const [start, state] = begun(optimizer, seed)
      const [end, kept] = Array.from({ length: steps }).reduce<Step>(
        ([parameters, now], _, i) => optimizer.update(now, parameters, { ...drawn(seed + 1 + i), bias: null }),
        [start, state]
      )
      if (end.bias !== start.bias) return "it is another tensor"
      return !("bias" in kept.slots) || "something is kept beside it"
    })
)

/** A state that went through plain numbers goes on as if it had not. */
export const resumed: Law.Law<Optimizing> = Law.forAll<Optimizing, Case>(
  {
    name: "a resumed run is the uninterrupted one",
    states: "update^n = update^(n - k) . read . write . update^k, bit for bit"
  },
  parts,
  ({ optimizer }, { seed, steps }) =>
    tidied(() => {
      const copy = (x: tf.Tensor): tf.Tensor => tf.tensor(Float32Array.from(x.dataSync()), x.shape, "float32")
      const copies = (tensors: Tensors): Tensors =>
        Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, copy(x)]))
      const [there, { steps: done, slots }] = stepped(optimizer, begun(optimizer, seed), seed, 0, steps)
      const read = Object.fromEntries(
        Object.entries(slots).map(([name, slot]) => [name, { steps: slot.steps, tensors: copies(slot.tensors) }])
      )
      const [again] = stepped(optimizer, [copies(there), { steps: done, slots: read }], seed, steps, 2 * steps)
      const [whole] = stepped(optimizer, begun(optimizer, seed), seed, 0, 2 * steps)
      return alike(numbersOf(again), numbersOf(whole))
    })
)

/** Each parameter steps as it would alone. */
export const apart: Law.Law<Optimizing> = Law.forAll<Optimizing, Case>(
  {
    name: "parameters do not see each other",
    states: "update({ a, b }) = { update(a), update(b) }",
    claimed: "of optimisers that look at one parameter at a time",
    unclaimed: ({ together }) => together
  },
  parts,
  ({ optimizer }, { seed, steps }) =>
    tidied(() => {
      const [all] = stepped(optimizer, begun(optimizer, seed), seed, 0, steps)
      const { weight } = drawn(seed) as { readonly weight: tf.Tensor }
      const [alone] = stepped(optimizer, [{ weight }, optimizer.init({ weight })], seed, 0, steps)
      return alike({ weight: numbersOf(all).weight as Float32Array }, numbersOf(alone))
    })
)

/** A step within tidy leaves nothing but what it answers, and what it was given is as before. */
export const traceless: Law.Law<Optimizing> = Law.forAll<Optimizing, Case>(
  {
    name: "nothing is left of a step",
    states: "tensors after tidy(update(s, p, dp)) = before; p and dp are as before"
  },
  parts,
  ({ optimizer }, { seed, steps }) =>
    tidied(() => {
      const [parameters, state] = stepped(optimizer, begun(optimizer, seed), seed, 0, steps)
      const gradients = drawn(seed + 99)
      const before = [numbersOf(parameters), numbersOf(gradients)] as const
      const count = tf.memory().numTensors
      tf.tidy(() => void optimizer.update(state, parameters, gradients))
      const left = tf.memory().numTensors - count
      if (left !== 0) return `${left} tensors are left`
      const wrong = alike(numbersOf(parameters), before[0])
      return wrong === true ? alike(numbersOf(gradients), before[1]) : wrong
    })
)

/** Every law of optimisers. */
export const all: ReadonlyArray<Law.Law<Optimizing>> = [still, untouched, resumed, apart, traceless]

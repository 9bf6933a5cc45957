/**
 * The laws of layers and their states: what is taken out and loaded is the same to the bit, evaluation changes nothing, a frozen layer
 * does what evaluation does, and a load that fails is none.
 *
 * A case is a number of steps of training and the seeds of what is seen in them.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, `nn`, `exchange`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import * as fc from "fast-check"
import * as Safetensors from "../src/exchange/Safetensors.ts"
import * as StateJson from "../src/exchange/StateJson.ts"
import * as Frozen from "../src/nn/Frozen.ts"
import * as Layer from "../src/nn/Layer.ts"
import * as State from "../src/nn/State.ts"
import type * as Stored from "../src/tensor/Stored.ts"
import { numbersFrom } from "./KernelLaws.ts"
import * as Law from "./Law.ts"
import { answerOf, difference as differs, textOf } from "./StateBits.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What is done with states: to be replaced by one's own. */
export interface Handling {
  readonly extract: (layer: Layer.Stateful) => Effect.Effect<Stored.Tensors>
  readonly load: (layer: Layer.Stateful, state: State.Given, policy: State.Policy) => Effect.Effect<unknown, unknown>
  readonly forward: (layer: Layer.Layer, x: tf.Tensor, mode: Layer.Mode) => Effect.Effect<Layer.Values, unknown>
  readonly freeze: (layer: Layer.Layer) => Effect.Effect<Layer.Layer, unknown, Scope.Scope>
  /** through a file, and through a text */
  readonly ways: Readonly<Record<string, (state: Stored.Tensors) => Effect.Effect<Stored.Tensors, unknown>>>
}

/** What the laws are about: a layer, made anew with the same numbers each time. */
export interface Stateful extends Handling {
  readonly name: string
  readonly make: Effect.Effect<Layer.Layer, unknown, Scope.Scope>
  /** the shape of what it takes */
  readonly input: ReadonlyArray<number>
  /** a state like this one for which a quantizer of its does not resolve; absent: there is none */
  readonly refused?: (state: Stored.Tensors) => Stored.Tensors
}

/** breve's own way. */
export const handling: Handling = {
  extract: State.extract,
  load: State.load,
  forward: (layer, x, mode) => Layer.forward(layer, x, mode),
  freeze: (layer) => Frozen.make(layer),
  ways: {
    safetensors: (state) =>
      Effect.map(Effect.fromResult(Safetensors.decode(Safetensors.encode(state))), ({ tensors }) => tensors),
    JSON: (state) => Effect.map(Effect.fromResult(StateJson.decode(StateJson.encode(state))), ({ tensors }) => tensors)
  }
}

// ---- cases --------------------------------------------------------------------------------------------------

interface Case {
  /** steps of training before */
  readonly steps: number
  readonly seed: number
}
const parts = { steps: fc.nat(3), seed: fc.nat(1e5) }

const inputOf = ({ input }: Stateful, seed: number): Effect.Effect<tf.Tensor, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const next = numbersFrom(seed)
      const values = Float32Array.from({ length: tf.util.sizeFromShape([...input]) }, () => (next() % 2001) / 1000 - 1)
      return tf.tensor(values, [...input], "float32")
    }),
    (x) => Effect.sync(() => x.dispose())
  )

/** What a layer answers, with its scales and widths, as bits. */
const answered = (
  subject: Handling,
  layer: Layer.Layer,
  x: tf.Tensor,
  mode: Layer.Mode = Layer.evaluation
): Effect.Effect<ReadonlyArray<string>, unknown> => Effect.map(subject.forward(layer, x, mode), answerOf)

/** A layer that has seen a few batches in training. */
const trained = (subject: Stateful, { steps, seed }: Case): Effect.Effect<Layer.Layer, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const layer = yield* subject.make
    for (let i = 0; i < steps; i++)
      yield* answered(subject, layer, yield* inputOf(subject, seed + 1 + i), Layer.training)
    return layer
  })

/** The same, evaluated once: what is learned from statistics of weights begins then. */
const settled = (subject: Stateful, given: Case): Effect.Effect<Layer.Layer, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const layer = yield* trained(subject, given)
    yield* answered(subject, layer, yield* inputOf(subject, given.seed + 40))
    return layer
  })

const law = (
  statement: Law.Statement<Stateful>,
  holds: (subject: Stateful, given: Case) => Effect.Effect<Law.Holds, unknown, Scope.Scope>
): Law.Law<Stateful> =>
  Law.forAllAsync({ weight: 8, ...statement }, parts, (subject, given) =>
    Effect.runPromise(Effect.scoped(holds(subject, given)) as Effect.Effect<Law.Holds>)
  )

const kept = (wrong: string | undefined): Law.Holds => wrong ?? true

// ---- laws ---------------------------------------------------------------------------------------------------

/** What was loaded is what is taken out: no bit is lost, and none is added. */
export const loaded: Law.Law<Stateful> = law(
  { name: "what is loaded is what is taken out", states: "extract(load(l', extract(l))) = extract(l)" },
  (subject, given) =>
    Effect.gen(function* () {
      const [from, to] = [yield* trained(subject, given), yield* subject.make]
      const state = yield* subject.extract(from)
      yield* subject.load(to, state, "report")
      return kept(differs(textOf(yield* subject.extract(to)), textOf(state)))
    })
)

/** A layer that has loaded the state of another does what the other does. */
export const resumed: Law.Law<Stateful> = law(
  {
    name: "a loaded layer does the same",
    states: "load(l', extract(l)): l'(x) = l(x), to the bit; loading it again changes nothing"
  },
  (subject, given) =>
    Effect.gen(function* () {
      const [from, to] = [yield* trained(subject, given), yield* trained(subject, { steps: 1, seed: given.seed + 50 })]
      const [state, x] = [yield* subject.extract(from), yield* inputOf(subject, given.seed)]
      const wanted = yield* answered(subject, from, x)
      yield* subject.load(to, state, "report")
      const wrong = differs(yield* answered(subject, to, x), wanted)
      if (wrong !== undefined) return wrong
      yield* subject.load(from, state, "report")
      return kept(differs(yield* answered(subject, from, x), wanted))
    })
)

/** A state comes back from a file or a text as it was. */
export const exchanged: Law.Law<Stateful> = law(
  { name: "states survive files and texts", states: "decode(encode(s)) = s, to the bit, safetensors and JSON" },
  (subject, given) =>
    Effect.gen(function* () {
      const state = yield* subject.extract(yield* trained(subject, given))
      for (const [way, through] of Object.entries(subject.ways)) {
        const wrong = differs(textOf(yield* through(state)), textOf(state))
        if (wrong !== undefined) return `${way}: ${wrong}`
      }
      return true
    })
)

/** Evaluation is a function: the same bits each time, and no state is changed. */
export const pure: Law.Law<Stateful> = law(
  {
    name: "evaluation changes nothing",
    states: "l(x) = l(x); extract(l) and all cells are as before, from the first evaluation on"
  },
  (subject, given) =>
    Effect.gen(function* () {
      const [layer, x] = [yield* settled(subject, given), yield* inputOf(subject, given.seed)]
      const [state, cells] = [yield* subject.extract(layer), [...Layer.read(layer)]]
      const [once, twice] = [yield* answered(subject, layer, x), yield* answered(subject, layer, x)]
      const changed = [...Layer.read(layer)].some(([, now], i) => {
        const before = (cells[i] as (typeof cells)[number])[1]
        return now.parameters !== before.parameters || now.memory !== before.memory
      })
      if (changed) return "a cell has another state"
      return kept(differs(twice, once) ?? differs(textOf(yield* subject.extract(layer)), textOf(state)))
    })
)

/** A frozen layer is evaluation at its moment, in whatever mode it is called, and whatever becomes of the original. */
export const frozen: Law.Law<Stateful> = law(
  { name: "frozen is evaluation", states: "freeze(l)(x) = l(x), to the bit, also when l has been trained since" },
  (subject, given) =>
    Effect.gen(function* () {
      const [layer, x] = [yield* settled(subject, given), yield* inputOf(subject, given.seed)]
      const wanted = yield* answered(subject, layer, x)
      const still = yield* subject.freeze(layer)
      const wrong = differs(yield* answered(subject, still, x), wanted)
      if (wrong !== undefined) return wrong
      yield* answered(subject, layer, yield* inputOf(subject, given.seed + 9), Layer.training)
      return kept(differs(yield* answered(subject, still, x, Layer.training), wanted))
    })
)

/** States that cannot be loaded: one too large, a name too many, one too few. */
const spoilt = (state: Stored.Tensors): Readonly<Record<string, Stored.Tensors>> => {
  const names = Object.keys(state)
  const last = names.at(-1) as string
  const { [last]: one, ...rest } = state
  const longer = { ...(one as Stored.Stored), shape: [...(one as Stored.Stored).shape, 3] }
  return {
    "a shape that does not fit": { ...state, [last]: { ...longer, data: new Uint8Array(longer.data.length * 3) } },
    "a name too many": { ...state, "no.such.name": one as Stored.Stored },
    "a name too few": rest
  }
}

/** A load that fails has changed nothing. */
export const unharmed: Law.Law<Stateful> = law(
  {
    name: "a failed load changes nothing",
    states: "load(l, wrong) is a typed failure; then extract(l) and l(x) are as before"
  },
  (subject, given) =>
    Effect.gen(function* () {
      const [layer, x] = [yield* settled(subject, given), yield* inputOf(subject, given.seed)]
      const other = yield* trained(subject, { steps: given.steps + 1, seed: given.seed + 77 })
      const [before, answer] = [textOf(yield* subject.extract(layer)), yield* answered(subject, layer, x)]
      const state = yield* subject.extract(other)
      const refused = subject.refused === undefined ? {} : { "weights that are refused": subject.refused(state) }
      for (const [how, wrong] of Object.entries({ ...spoilt(state), ...refused })) {
        // a typed failure, that is: a defect breaks the law
        const found = yield* Effect.result(subject.load(layer, wrong, "strict"))
        if (Result.isSuccess(found)) return `${how}: it is loaded`
        const changed =
          differs(textOf(yield* subject.extract(layer)), before) ?? differs(yield* answered(subject, layer, x), answer)
        if (changed !== undefined) return `${how}: ${changed}`
      }
      return true
    })
)

/** Layers with the same numbers are the same function, trained or not: what differs is what they have seen. */
export const repeatable: Law.Law<Stateful> = law(
  { name: "the same input gives the same bits", states: "make, train and evaluate twice: the same bits" },
  (subject, given) =>
    Effect.gen(function* () {
      const x = yield* inputOf(subject, given.seed)
      const [one, other] = [yield* trained(subject, given), yield* trained(subject, given)]
      const wrong = differs(yield* answered(subject, one, x), yield* answered(subject, other, x))
      return kept(wrong ?? differs(textOf(yield* subject.extract(one)), textOf(yield* subject.extract(other))))
    })
)

/** Every law of layers and their states. */
export const all: ReadonlyArray<Law.Law<Stateful>> = [loaded, resumed, exchanged, pure, frozen, unharmed, repeatable]

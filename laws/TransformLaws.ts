/**
 * The laws of steps after training: a model in, another one out. The model that goes in keeps its bits, whatever happens; nothing is left;
 * the same model gives the same bits; names stay, and the float network computes the same, where the step says so.
 *
 * A case is a seed, of which a model is made, and how far the step gets.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, `core`, `nn`, `proxy`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Fiber, type Scope } from "effect"
import * as fc from "fast-check"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as Layer from "../src/nn/Layer.ts"
import * as State from "../src/nn/State.ts"
import * as Cell from "../src/proxy/Cell.ts"
import * as LeasedRef from "../src/tensor/LeasedRef.ts"
import * as Tree from "../src/tensor/Tree.ts"
import { numbersFrom } from "./KernelLaws.ts"
import * as Law from "./Law.ts"
import { answerOf, difference, textOf } from "./StateBits.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** What steps take: a model of one value. */
export type Model = Layer.Layer<Layer.Value, Layer.Values>

/** A model, and the shape of what it takes. */
export interface Given {
  readonly model: Model
  readonly input: ReadonlyArray<number>
}

/** What the laws are about. */
export interface Transform {
  readonly name: string
  /** a model for the step; the same numbers each time for a seed */
  readonly make: (seed: number) => Effect.Effect<Given, unknown, Scope.Scope>
  /**
   * The step. `moment` is to run wherever it waits, or tells what it does (`report: () => moment`): there the laws let it fail, and
   * interrupt it.
   */
  readonly step: (given: Given, moment: Effect.Effect<void>) => Effect.Effect<Model, unknown, Scope.Scope>
  /** what of the structure becomes another one; absent: all parameters keep their names */
  readonly restructures?: string
  /** how far the float network may answer something else, in units of its largest answer; absent: as far as it likes */
  readonly preserves?: number
}

// ---- cases --------------------------------------------------------------------------------------------------

interface Case {
  readonly seed: number
  /** the moment at which the step fails, or is interrupted */
  readonly at: number
}
const parts = { seed: fc.nat(1000), at: fc.nat(5) }

/** What `f` makes of an input that is drawn for it. */
const drawn = <A, E>({ input }: Given, seed: number, f: (x: tf.Tensor) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const next = numbersFrom(seed + 1)
      const values = Float32Array.from({ length: tf.util.sizeFromShape([...input]) }, () => (next() % 4001) / 1000 - 2)
      return tf.tensor(values, [...input], "float32")
    }),
    f,
    (x) => Effect.sync(() => x.dispose())
  )

/** All that can be seen of a model: its state, and what it answers. */
const seen = (given: Given, seed: number): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const answer = yield* drawn(given, seed, (x) => Effect.map(Layer.forward(given.model, x), answerOf))
    return [...textOf(yield* State.extract(given.model)), ...answer]
  })

/** What the float network answers. */
const floats = (given: Given, seed: number): Effect.Effect<Float32Array, unknown> =>
  drawn(given, seed, (x) =>
    Effect.map(Layer.forward(given.model, x, Layer.without(Layer.evaluation)), (y) => {
      const values = Float32Array.from(QuantTensor.dequantized(y as Layer.Value).dataSync())
      tf.dispose([...Layer.tensorsIn(y)])
      return values
    })
  )

/** A model that has been called once: what is learned from statistics of weights has begun. */
const called = ({ make }: Transform, seed: number): Effect.Effect<Given, unknown, Scope.Scope> =>
  Effect.tap(make(seed), (given) => seen(given, seed))

const calm = Effect.void
/** Nothing happens but at one moment, counted from 0. */
const only = (at: number, then: Effect.Effect<void>): Effect.Effect<void> => {
  const count = { moments: 0 }
  return Effect.suspend(() => (count.moments++ === at ? then : Effect.void))
}

const law = (
  statement: Law.Statement<Transform>,
  holds: (subject: Transform, given: Case) => Effect.Effect<Law.Holds, unknown, Scope.Scope>
): Law.Law<Transform> =>
  Law.forAllAsync({ weight: 8, ...statement }, parts, (subject, given) =>
    Effect.runPromise(Effect.scoped(holds(subject, given)) as Effect.Effect<Law.Holds>)
  )

interface Count {
  readonly tensors: number
  readonly bytes: number
}
const counted = (): Count => {
  const { numTensors, numBytes } = tf.memory()
  return { tensors: numTensors, bytes: numBytes }
}
const left = (before: Count): string | undefined => {
  const { tensors, bytes } = counted()
  if (tensors === before.tensors && bytes === before.bytes) return undefined
  return `${tensors - before.tensors} tensors, ${bytes - before.bytes} bytes are left`
}

/** Whether a model is as before, and nothing else is there, when something has been done with it in a Scope of its own. */
const unchanged = (
  subject: Transform,
  { seed }: Case,
  done: (given: Given) => Effect.Effect<unknown, unknown, Scope.Scope>
): Effect.Effect<Law.Holds, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const given = yield* called(subject, seed)
    const [before, count] = [yield* seen(given, seed), counted()]
    yield* Effect.scoped(done(given))
    return difference(yield* seen(given, seed), before) ?? left(count) ?? true
  })

// ---- laws ---------------------------------------------------------------------------------------------------

/** The model that went in is as it was, while its successor lives and afterwards. */
export const kept: Law.Law<Transform> = law(
  {
    name: "the model that goes in keeps its bits",
    states: "m after step(m) = m before, its state and its answers, to the bit"
  },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const given = yield* called(subject, seed)
      const before = yield* seen(given, seed)
      const wrong = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* subject.step(given, calm)
          return difference(yield* seen(given, seed), before)
        })
      )
      return wrong ?? difference(yield* seen(given, seed), before) ?? true
    })
)

/** Whatever is learned by the model that came out, the one that went in does not learn it. */
export const apart: Law.Law<Transform> = law(
  {
    name: "the answer is a model of its own",
    states: "m is as before, to the bit, when every parameter of step(m) has become another one"
  },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const given = yield* called(subject, seed)
      const before = yield* seen(given, seed)
      const next = yield* subject.step(given, calm)
      for (const cell of new Set(next.cells.map(([, one]) => one))) {
        const { parameters, memory } = LeasedRef.current(cell)
        Cell.commit(cell, { parameters: Tree.map(parameters, (leaf) => tf.sub(1, leaf)), memory })
      }
      return difference(yield* seen(given, seed), before) ?? true
    })
)

/** When its Scope closes, nothing is left of a step. */
export const traceless: Law.Law<Transform> = law(
  { name: "nothing is left of a step", states: "memory after scoped(step(m)) = memory before" },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const given = yield* called(subject, seed)
      const count = counted()
      yield* Effect.scoped(subject.step(given, calm))
      return left(count) ?? true
    })
)

/** A step that ends in the middle with a defect has changed nothing, and nothing is left of it. */
export const unharmed: Law.Law<Transform> = law(
  {
    name: "a step that fails has changed nothing",
    states: "step(m) fails at any moment: m is as before, to the bit, and so is memory"
  },
  (subject, given) =>
    unchanged(subject, given, (model) => Effect.exit(subject.step(model, only(given.at, Effect.die("at a moment")))))
)

/** Lets every fiber that can run do so. */
const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** The same of a step that is interrupted. */
export const interrupted: Law.Law<Transform> = law(
  {
    name: "an interrupted step has changed nothing",
    states: "step(m) is interrupted at any moment: m is as before, to the bit, and so is memory"
  },
  (subject, given) =>
    unchanged(subject, given, (model) =>
      Effect.gen(function* () {
        const waiting = { there: false }
        const reached = Effect.sync(() => {
          waiting.there = true
        })
        const moment = only(given.at, Effect.andThen(reached, Effect.never))
        const fiber = yield* Effect.forkChild(Effect.exit(Effect.scoped(subject.step(model, moment))))
        while (!waiting.there && fiber.pollUnsafe() === undefined) yield* turn
        yield* Fiber.interrupt(fiber)
      })
    )
)

/** The same model, or one of the same numbers, becomes the same model. */
export const repeatable: Law.Law<Transform> = law(
  { name: "the same model gives the same bits", states: "step(m) = step(m) = step(m'), to the bit, m' made as m" },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const [given, like] = [yield* called(subject, seed), yield* called(subject, seed)]
      const after = (from: Given): Effect.Effect<ReadonlyArray<string>, unknown> =>
        Effect.scoped(Effect.flatMap(subject.step(from, calm), (model) => seen({ ...from, model }, seed)))
      const first = yield* after(given)
      return difference(yield* after(given), first) ?? difference(yield* after(like), first) ?? true
    })
)

/** Parameters are found by the names that they had. */
export const named: Law.Law<Transform> = law(
  {
    name: "parameters keep their names",
    states: "names(step(m)) = names(m)",
    claimed: "of steps that leave the structure as it is",
    unclaimed: ({ restructures }) => restructures
  },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const { model, ...rest } = yield* called(subject, seed)
      const next = yield* subject.step({ model, ...rest }, calm)
      const namesOf = (one: Model): Effect.Effect<ReadonlyArray<string>> =>
        Effect.map(State.parameters(one), (parameters) => Object.keys(parameters).sort())
      return difference(yield* namesOf(next), yield* namesOf(model)) ?? true
    })
)

/** The float network computes the same. */
export const preserved: Law.Law<Transform> = law(
  {
    name: "the float network computes the same",
    states: "|f'(x) - f(x)| <= t max |f(x)|, f and f' without quantizers, t the subject's",
    claimed: "of steps that say how near it stays",
    unclaimed: ({ preserves }) => (preserves === undefined ? "it does not claim it" : undefined)
  },
  (subject, { seed }) =>
    Effect.gen(function* () {
      const given = yield* called(subject, seed)
      const model = yield* subject.step(given, calm)
      const [wanted, got] = [yield* floats(given, seed), yield* floats({ ...given, model }, seed)]
      if (got.length !== wanted.length) return `it answers ${got.length} numbers, not ${wanted.length}`
      const most = wanted.reduce((so, value) => Math.max(so, Math.abs(value)), 0)
      const wrong = wanted.findIndex(
        (value, i) => !(Math.abs((got[i] as number) - value) <= (subject.preserves ?? 0) * most)
      )
      return wrong === -1 || `answer ${wrong} is ${got[wrong]}, not ${wanted[wrong]}, of at most ${most}`
    })
)

/** Every law of steps after training. */
export const all: ReadonlyArray<Law.Law<Transform>> = [
  kept,
  apart,
  traceless,
  unharmed,
  interrupted,
  repeatable,
  named,
  preserved
]

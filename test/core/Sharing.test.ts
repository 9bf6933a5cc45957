import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Tree from "../../src/tensor/Tree.ts"

type Counting = Brick.Stateful<readonly [x: tf.Tensor], tf.Tensor>

/** `x * value`; counts its calls, and becomes 7 when prepared. */
const counting = (): Counting =>
  Brick.make(
    "Counting",
    {},
    {
      parameters: { value: tf.scalar(3) },
      memory: { calls: 0 },
      prepare: (state) => (state.training ? { ...state, parameters: { value: tf.scalar(7) } } : state)
    },
    {
      apply: ({ parameters, memory }: Brick.State, x: tf.Tensor) =>
        [tf.mul(x, parameters.value as tf.Tensor), { calls: Number(memory.calls) + 1 }] as const
    }
  )

/** The sum of what its children answer; `skipped` names one that is not called. */
const sum = (children: Readonly<Record<string, Counting>>, skipped?: string): Counting =>
  Brick.make(
    "Sum",
    children,
    {},
    {
      apply: (state: Brick.State, x: tf.Tensor) => {
        const called = Object.entries(children).filter(([name]) => name !== skipped)
        const answers = called.map(([name, child]) => [name, Brick.call(child, state, name, x)] as const)
        const memory = Object.fromEntries(answers.map(([name, [, after]]) => [name, after]))
        return [tf.addN(answers.map(([, [y]]) => y)), Brick.remembered(state.memory, memory)] as const
      }
    }
  )

const started = (self: Brick.Brick, training = false) => ({
  parameters: self.parameters,
  memory: self.memory,
  training
})

describe("a brick in several places", () => {
  const made: { self?: Counting; b?: Counting } = {}
  beforeAll(async () => {
    await Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true })))
    const shared = counting()
    made.b = sum({ other: shared })
    made.self = sum({ a: sum({ inner: shared }), b: made.b, c: shared })
  })
  afterAll(() => Brick.dispose(made.self as Counting))
  const theSelf = (): Counting => made.self as Counting

  it("is listed once, and has its parameters and memory at the first place only", () => {
    expect(Brick.parts(theSelf())).toEqual([
      ["", "Sum"],
      ["a", "Sum"],
      ["a.inner", "Counting"],
      ["b", "Sum"]
    ])
    expect(Tree.leaves(theSelf().parameters).map(([path]) => path)).toEqual(["a.inner.value"])
    expect(theSelf().memory).toEqual({ a: { inner: { calls: 0 } } })
    expect(Tree.leaves((made.b as Counting).parameters).map(([path]) => path)).toEqual(["other.value"])
  })

  it("finds its state in each place, also where the parameters are others than at first", () =>
    void tf.tidy(() => {
      const self = theSelf()
      const [y, memory] = self.apply(started(self), tf.scalar(2))
      expect(y.dataSync()[0]).toBe(18)
      expect(memory).toEqual({ a: { inner: { calls: 1 } } })
      const parameters = { a: { inner: { value: tf.scalar(5) } } }
      expect(self.apply({ ...started(self), parameters, memory }, tf.scalar(2))[0].dataSync()[0]).toBe(30)
    }))

  it("a gradient sums what comes from all places", () =>
    void tf.tidy(() => {
      const self = theSelf()
      const grad = tf.grad((value: tf.Tensor) => {
        const state = { ...started(self), parameters: { a: { inner: { value } } } }
        return self.apply(state, tf.scalar(2))[0]
      })(tf.scalar(3))
      expect(grad.dataSync()[0]).toBe(6)
    }))

  it("what only a later place remembers is remembered; what nobody changes is the same object", () =>
    void tf.tidy(() => {
      const one = counting()
      const later = sum({ a: sum({ one }), b: one }, "a")
      expect(later.apply(started(later), tf.scalar(1))[1]).toEqual({ a: { one: { calls: 1 } } })
      const none = sum({ a: sum({ one }, "one"), b: sum({ one }, "one") })
      const silent = Brick.make(
        "Silent",
        none.children,
        {},
        { apply: (s: Brick.State) => [tf.scalar(0), s.memory] as const }
      )
      expect(silent.apply(started(silent))[1]).toBe(silent.memory)
    }))

  it("is prepared once for all places", () =>
    void tf.tidy(() => {
      const self = theSelf()
      const { parameters, memory } = self.prepare(started(self, true))
      expect(Tree.leaves(parameters).map(([path, value]) => [path, value.dataSync()[0]])).toEqual([
        ["a.inner.value", 7]
      ])
      expect(memory).toEqual(self.memory)
      const unprepared = self.prepare(started(self))
      expect([unprepared.parameters, unprepared.memory]).toEqual([self.parameters, self.memory])
    }))

  it("unlike bricks of one kind stay apart", () =>
    void tf.tidy(() => {
      const two = sum({ a: counting(), b: counting() })
      expect(Tree.leaves(two.parameters).map(([path]) => path)).toEqual(["a.value", "b.value"])
    }))
})

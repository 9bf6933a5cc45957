/**
 * Training a layer or model: one step reads the cells once, computes value and gradients purely, and writes once.
 *
 * Room: train (level 5). Imports: tfjs, effect, `nn`, `tensor`, `./Optimizer.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import * as Gradient from "../tensor/Gradient.ts"
import * as Tree from "../tensor/Tree.ts"
import type * as Optimizer from "./Optimizer.ts"

/** A model with an optimiser and its state. */
export interface Trainer {
  readonly model: Layer.Layer
  readonly optimizer: Optimizer.Optimizer
  readonly state: MutableRef.MutableRef<Optimizer.State>
}

const slotsOf = (state: Optimizer.State): ReadonlyArray<tf.Tensor> => state.slots.flat()

/** The learned tensors of all cells, each cell once, in a fixed order. */
const learned = (states: Layer.States): ReadonlyArray<tf.Tensor> =>
  [...states.values()].flatMap(({ parameters }) => Tree.tensors(parameters))

/** The states with other learned tensors, in the order of `learned`. */
const withLearned = (states: Layer.States, tensors: ReadonlyArray<tf.Tensor>): Layer.States => {
  const next = tensors[Symbol.iterator]()
  return new Map(
    [...states].map(([cell, state]) => [
      cell,
      { ...state, parameters: Tree.map(state.parameters, () => next.next().value as tf.Tensor) }
    ])
  )
}

/** Begins training; the optimiser's state is disposed with the surrounding Scope. */
export const make = (model: Layer.Layer, optimizer: Optimizer.Optimizer): Effect.Effect<Trainer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const state = tf.tidy(() => {
        const initial = optimizer.init(learned(Layer.read(model)))
        for (const tensor of slotsOf(initial)) tf.keep(tensor)
        return { initial: initial as unknown as tf.TensorContainer }
      }).initial as unknown as Optimizer.State
      return { model, optimizer, state: MutableRef.make(state) }
    }),
    ({ state }) => Effect.sync(() => tf.dispose([...slotsOf(MutableRef.get(state))]))
  )

/** One step on a batch; answers with the loss. `loss` gets the model's output. */
export const step = (
  self: Trainer,
  x: tf.Tensor,
  loss: (y: tf.Tensor) => tf.Tensor
): Effect.Effect<number, Layer.InputError> =>
  Layer.attempt(() => {
    const before = Layer.read(self.model)
    const optimizerBefore = MutableRef.get(self.state)
    const result = tf.tidy(() => {
      const prepared = Layer.prepare(before, Layer.training)
      const parameters = learned(prepared)
      const reached: { states: Layer.States } = { states: prepared }
      const { value, gradients } = Gradient.valueAndGradients(() => {
        const [y, states] = self.model.apply(prepared, x, Layer.training)
        reached.states = states
        for (const { memory } of states.values()) for (const tensor of Tree.tensors(memory)) tf.keep(tensor)
        return loss(QuantTensor.dequantized(y))
      }, parameters)
      const [updated, state] = self.optimizer.update(optimizerBefore, parameters, gradients)
      for (const tensor of [...updated, ...slotsOf(state)]) tf.keep(tensor)
      const answer = { loss: value.dataSync()[0] as number, after: withLearned(reached.states, updated), state }
      return { answer: answer as unknown as tf.TensorContainer }
    }).answer as unknown as { loss: number; after: Layer.States; state: Optimizer.State }
    Layer.commit(result.after)
    MutableRef.set(self.state, result.state)
    const kept = new Set(slotsOf(result.state))
    for (const tensor of slotsOf(optimizerBefore)) if (!kept.has(tensor)) tensor.dispose()
    return result.loss
  })

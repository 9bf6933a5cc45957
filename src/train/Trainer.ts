/**
 * Training a layer or model: one step reads the cells once, computes value and gradients purely, and writes once.
 *
 * A step whose loss or new parameters are not finite is not taken. A step is synchronous, so an interruption finds the model, what
 * its quantizers remember and the optimiser's state as a whole step left them.
 *
 * Room: train (level 5). Imports: tfjs, effect, `core`, `nn`, `tensor`, its own room. Laws: test/train/Trainer.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import * as Optimizer from "../core/Optimizer.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Layer from "../nn/Layer.ts"
import * as Gradient from "../tensor/Gradient.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import { NonFiniteLoss } from "../tensor/StepErrors.ts"
import type * as Batch from "./Batch.ts"
import * as Diagnosis from "./Diagnosis.ts"
import * as Finite from "./Finite.ts"
import * as Learned from "./Learned.ts"
import type * as Loss from "./Loss.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A model with an optimiser and its state. */
export interface Trainer {
  readonly model: Layer.Layer
  readonly optimizer: Optimizer.Optimizer
  readonly state: MutableRef.MutableRef<Optimizer.State>
  readonly prefixes: Learned.Prefixes
}

/** Why a step is not taken. */
export type StepError = Layer.InputError | NonFiniteLoss | InvalidOptions

// ---- constructors -------------------------------------------------------------------------------------------

/**
 * Begins training; the optimiser's state is disposed with the surrounding Scope. Options of the optimiser that cannot be, and
 * selections that fit no parameter, are refused.
 *
 * - errors: InvalidOptions, which names the option
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (
  model: Layer.Layer,
  optimizer: Optimizer.Optimizer
): Effect.Effect<Trainer, InvalidOptions, Scope.Scope> =>
  Effect.suspend(() => {
    const prefixes = Learned.prefixesOf(model)
    const parameters = Learned.parametersOf(prefixes, Layer.read(model))
    const wrong = optimizer.check(Object.keys(parameters))
    if (wrong !== undefined) return Effect.fail(wrong)
    return Effect.acquireRelease(
      Effect.sync(() => {
        const begun: { state?: Optimizer.State } = {}
        tf.tidy(() => {
          begun.state = optimizer.init(parameters)
          Optimizer.tensorsOf(begun.state).map((tensor) => tf.keep(tensor))
        })
        return { model, optimizer, prefixes, state: MutableRef.make(begun.state as Optimizer.State) }
      }),
      ({ state }) => Effect.sync(() => tf.dispose([...Optimizer.tensorsOf(MutableRef.get(state))]))
    )
  })

// ---- steps --------------------------------------------------------------------------------------------------

interface Done {
  readonly loss: number
  readonly states: Layer.States
  readonly state: Optimizer.State
}

/** The loss, and a witness for each tensor that a step changed; read at once. */
const figures = (loss: tf.Tensor, changed: ReadonlyArray<tf.Tensor>): ArrayLike<number> =>
  changed.length === 0 ? loss.dataSync() : tf.stack([tf.reshape(loss, []), ...changed.map(Finite.witness)]).dataSync()

/** What a step is about; its tensors are made within the step's `tf.tidy`, or somebody owns them. */
interface Task {
  readonly x: Layer.Value
  readonly loss: (y: tf.Tensor) => tf.Tensor
}

/** Everything that a step computes, within a `tf.tidy`; throws what it fails with, and then keeps nothing. */
const computed = (self: Trainer, { x, loss }: Task): Done => {
  const { model, optimizer, prefixes } = self
  const before = Layer.read(model)
  const optimizerBefore = MutableRef.get(self.state)
  const step = optimizerBefore.steps + 1
  const prepared = Layer.prepare(before, Layer.training)
  const parameters = Learned.parametersOf(prefixes, prepared)
  const names = Object.keys(parameters)
  const old = new Set(Layer.tensorsOf(before))
  const reached: { states: Layer.States } = { states: prepared }
  const { value, gradients } = Gradient.valueAndGradients(
    () => {
      const [y, states] = model.apply(prepared, x, Layer.training)
      const scalar = loss(QuantTensor.dequantized(y))
      reached.states = states
      // the tape disposes what it has not kept; the scope around it takes them over
      for (const tensor of Layer.tensorsOf(states)) if (!old.has(tensor)) tf.keep(tensor)
      return scalar
    },
    names.map((name) => parameters[name] as tf.Tensor)
  )
  const fresh = Layer.tensorsOf(reached.states).filter((tensor) => !old.has(tensor))
  const named = Object.fromEntries(names.map((name, i) => [name, gradients[i] ?? null]))
  // a layer may have written to its parameters, as clamped weights do: the step goes on from there
  const from = Learned.sameParameters(prepared, reached.states)
    ? parameters
    : Learned.parametersOf(prefixes, reached.states)
  const [updated, state] = optimizer.update(optimizerBefore, from, named)
  const changed = names.flatMap((name) => (updated[name] === parameters[name] ? [] : [updated[name] as tf.Tensor]))
  const [lossNow = Number.NaN, ...witnesses] = Array.from(figures(value, changed))
  const refuse = (where: string): never => {
    tf.dispose([...fresh])
    throw new NonFiniteLoss({ step, loss: lossNow, where })
  }
  if (!Number.isFinite(lossNow)) refuse(Diagnosis.ofForward(model, prepared, x) ?? "the loss itself, or its targets")
  if (!witnesses.every(Number.isFinite)) refuse(Diagnosis.ofUpdate(named, updated))
  for (const tensor of [...Object.values(updated), ...Optimizer.tensorsOf(state)]) tf.keep(tensor)
  const after = Learned.withParameters(prefixes, reached.states, updated)
  const used = new Set(Layer.tensorsOf(after))
  tf.dispose(fresh.filter((tensor) => !used.has(tensor)))
  return { loss: lossNow, states: after, state }
}

/** Computes with layers, and takes a step that is not finite for the failure that it is. */
const attempt = <A>(f: () => A): Effect.Effect<A, Layer.InputError | NonFiniteLoss> =>
  Effect.flatten(
    Layer.attempt(() => {
      try {
        return Effect.succeed(f())
      } catch (cause) {
        if (cause instanceof NonFiniteLoss) return Effect.fail(cause)
        throw cause
      }
    })
  )

/** The learning rate of the next step. */
export const rate = ({ optimizer, state }: Trainer): number => optimizer.rate(MutableRef.get(state).steps)

const taken = (self: Trainer, task: () => Task): Effect.Effect<number, StepError> =>
  Effect.suspend((): Effect.Effect<number, StepError> => {
    const now = rate(self)
    if (!(now >= 0 && now < Number.POSITIVE_INFINITY)) {
      const reason = `of step ${steps(self) + 1} is not a finite number from 0 up: ${now}`
      return Effect.fail(new InvalidOptions({ what: `Optimizer.${self.optimizer.kind}`, option: "rate", reason }))
    }
    return attempt(() => {
      const before = MutableRef.get(self.state)
      const done: { value?: Done } = {}
      tf.tidy(() => {
        done.value = computed(self, task())
      })
      const { loss, states, state } = done.value as Done
      Layer.commit(states)
      MutableRef.set(self.state, state)
      const kept = new Set(Optimizer.tensorsOf(state))
      for (const tensor of Optimizer.tensorsOf(before)) if (!kept.has(tensor)) tensor.dispose()
      return loss
    })
  })

/**
 * One step on an input; answers with the loss. `loss` gets the model's output. If the loss or a new parameter is not finite, or the
 * learning rate of this step cannot be, nothing changes and the failure says where.
 *
 * - errors: NonFiniteLoss, which says where; InvalidOptions; InputError of the model
 *
 * @category steps
 * @since 0.2.0
 */
export const step = (
  self: Trainer,
  x: Layer.Value,
  loss: (y: tf.Tensor) => tf.Tensor
): Effect.Effect<number, StepError> => taken(self, () => ({ x, loss }))

/**
 * The same on a batch, whose tensors live as long as the step.
 *
 * - errors: as `step`
 *
 * @category steps
 * @since 0.3.0
 */
export const stepOn = (self: Trainer, batch: Batch.Batch, loss: Loss.Loss): Effect.Effect<number, StepError> =>
  taken(self, () => {
    const { input, target } = batch.tensors()
    return { x: input, loss: (y) => loss(y, target) }
  })

/** How many steps were taken. */
export const steps = (self: Trainer): number => MutableRef.get(self.state).steps

/**
 * The learned tensors of the model by name; valid until the next step or load.
 *
 * @category reading
 * @since 0.3.0
 */
export const parameters = (self: Trainer): Optimizer.Named<tf.Tensor> =>
  Learned.parametersOf(self.prefixes, Layer.read(self.model))

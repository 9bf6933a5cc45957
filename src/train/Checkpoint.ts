/**
 * Checkpoints: all that a training needs to go on, as one value without tensors: what the model learns and remembers, what the
 * optimiser keeps, how far the training is and where its randomness comes from. Training that goes on from one gives the same bits
 * as training that never stopped.
 *
 * As an archive of named tensors and texts it goes into a safetensors file and back.
 *
 * Room: train (level 5). Imports: effect, `nn`, `proxy`, `tensor`, its own room. Laws: test/train/Checkpoint.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, Result } from "effect"
import * as Optimizer from "../core/Optimizer.ts"
import * as Layer from "../nn/Layer.ts"
import { nearest } from "../tensor/Nearest.ts"
import type * as Random from "../tensor/Random.ts"
import { InvalidCheckpoint } from "../tensor/StateErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import * as Tree from "../tensor/Tree.ts"
import * as Learned from "./Learned.ts"
import type * as Trainer from "./Trainer.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** How far a training is: this many whole epochs, and this many batches of the next one. */
export interface Position {
  readonly epoch: number
  readonly batch: number
  /** the samples of those batches */
  readonly samples: number
  /** the sum of their losses */
  readonly loss: number
  /** what the order of the samples is drawn from */
  readonly random: Random.Random
}

/** What is kept beside a parameter. */
export interface Slot {
  readonly steps: number
  readonly tensors: Stored.Tensors
}

/** All that a training needs to go on. */
export interface Checkpoint {
  readonly parameters: Stored.Tensors
  /** running statistics and counters */
  readonly memory: Readonly<Record<string, Stored.Stored | number>>
  readonly optimizer: { readonly kind: string; readonly steps: number; readonly slots: Readonly<Record<string, Slot>> }
  readonly position: Position
}

// ---- taking -------------------------------------------------------------------------------------------------

type Leaf = tf.Tensor | number

const mapped = <A, B>(record: Readonly<Record<string, A>>, f: (value: A, name: string) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))

const memoryOf = ({ prefixes, model }: Trainer.Trainer): Readonly<Record<string, Leaf>> =>
  Object.fromEntries(
    [...Layer.read(model)].flatMap(([cell, { memory }]) => Tree.leaves(memory, prefixes.get(cell) ?? ""))
  )

/** The beginning of a training whose order of samples is drawn from `random`. */
export const beginning = (random: Random.Random): Position => ({ epoch: 0, batch: 0, samples: 0, loss: 0, random })

/**
 * The present state of a training, copied.
 *
 * @category checkpoints
 * @since 0.3.0
 */
export const take = (self: Trainer.Trainer, position: Position): Effect.Effect<Checkpoint> =>
  Effect.sync(() => {
    const { steps, slots } = MutableRef.get(self.state)
    return {
      parameters: mapped(Learned.parametersOf(self.prefixes, Layer.read(self.model)), Stored.fromTensor),
      memory: mapped(memoryOf(self), (leaf) => (typeof leaf === "number" ? leaf : Stored.fromTensor(leaf))),
      optimizer: {
        kind: self.optimizer.kind,
        steps,
        slots: mapped(slots, (slot) => ({ steps: slot.steps, tensors: mapped(slot.tensors, Stored.fromTensor) }))
      },
      position
    }
  })

// ---- checking -----------------------------------------------------------------------------------------------

const shapeText = (shape: ReadonlyArray<number>): string => `[${shape.join(", ")}]`

const missing = (part: string, wanted: ReadonlyArray<string>, given: ReadonlyArray<string>) => {
  const names = new Set(given)
  const lacking = wanted.find((name) => !names.has(name))
  return lacking === undefined
    ? undefined
    : new InvalidCheckpoint({ part, reason: `lack "${lacking}", which the model has` })
}

const unknown = (part: string, wanted: ReadonlyArray<string>, given: ReadonlyArray<string>) => {
  const names = new Set(wanted)
  const extra = given.find((name) => !names.has(name))
  if (extra === undefined) return undefined
  const near = nearest(extra, wanted)
  const hint = near === undefined ? "" : ` (near "${near}")`
  return new InvalidCheckpoint({ part, reason: `have "${extra}", which the model has not${hint}` })
}

const dtypes: Readonly<Record<string, Stored.Dtype>> = { float32: "F32", int32: "I32", bool: "BOOL" }

/** Bytes that are not a tensor like this one. */
const unlike = (part: string, name: string, stored: Stored.Stored, tensor: tf.Tensor) => {
  const wrong = (reason: string) => new InvalidCheckpoint({ part, reason: `have "${name}" ${reason}` })
  if (!Stored.isWhole(stored)) return wrong(`with ${stored.data.length} bytes for ${shapeText(stored.shape)}`)
  if (stored.dtype !== dtypes[tensor.dtype]) return wrong(`as ${stored.dtype}; it is ${tensor.dtype} in the model`)
  return shapeText(stored.shape) === shapeText(tensor.shape)
    ? undefined
    : wrong(`with the shape ${shapeText(stored.shape)}; it has ${shapeText(tensor.shape)} in the model`)
}

const first = <A>(items: Iterable<A>, f: (item: A) => InvalidCheckpoint | undefined): InvalidCheckpoint | undefined => {
  for (const item of items) {
    const wrong = f(item)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

const checkTensors = (
  part: string,
  present: Readonly<Record<string, Leaf>>,
  given: Readonly<Record<string, Stored.Stored | number>>
): InvalidCheckpoint | undefined => {
  const [wanted, names] = [Object.keys(present), Object.keys(given)]
  return (
    missing(part, wanted, names) ??
    unknown(part, wanted, names) ??
    first(Object.entries(given), ([name, stored]) => {
      const leaf = present[name] as Leaf
      if (typeof stored !== "number" && typeof leaf !== "number") return unlike(part, name, stored, leaf)
      return typeof stored === typeof leaf
        ? undefined
        : new InvalidCheckpoint({
            part,
            reason: `have "${name}" as a ${typeof stored === "number" ? "number" : "tensor"}`
          })
    })
  )
}

const checkOptimizer = (
  self: Trainer.Trainer,
  parameters: Readonly<Record<string, tf.Tensor>>,
  { kind, slots }: Checkpoint["optimizer"]
): InvalidCheckpoint | undefined => {
  const part = "slots of the optimiser"
  if (kind !== self.optimizer.kind)
    return new InvalidCheckpoint({ part: "optimiser", reason: `is ${kind}; this training has ${self.optimizer.kind}` })
  return (
    unknown(part, Object.keys(parameters), Object.keys(slots)) ??
    first(Object.entries(slots), ([name, { tensors }]) =>
      first(Object.entries(tensors), ([slot, stored]) =>
        unlike(part, `${slot} of ${name}`, stored, parameters[name] as tf.Tensor)
      )
    )
  )
}

// ---- restoring ----------------------------------------------------------------------------------------------

const tensorOf = (stored: Stored.Stored): tf.Tensor => Result.getOrThrow(Stored.toTensor(stored))

const stateOf = ({ steps, slots }: Checkpoint["optimizer"]): Optimizer.State => ({
  steps,
  slots: mapped(slots, (slot) => ({ steps: slot.steps, tensors: mapped(slot.tensors, tensorOf) }))
})

/**
 * Puts a training where the checkpoint was taken; the model is one that was made in the same way, the optimiser of the same kind.
 * Everything is checked first: a failure changes nothing.
 *
 * - errors: InvalidCheckpoint, which names the part that does not fit
 *
 * @category checkpoints
 * @since 0.3.0
 */
export const restore = (self: Trainer.Trainer, checkpoint: Checkpoint): Effect.Effect<void, InvalidCheckpoint> =>
  Effect.suspend(() => {
    const states = Layer.read(self.model)
    const parameters = Learned.parametersOf(self.prefixes, states)
    const wrong =
      checkTensors("parameters", parameters, checkpoint.parameters) ??
      checkTensors("memory", memoryOf(self), checkpoint.memory) ??
      checkOptimizer(self, parameters, checkpoint.optimizer)
    if (wrong !== undefined) return Effect.fail(wrong)
    const { memory } = checkpoint
    const remembered = (_: Leaf, name: string): Leaf => {
      const stored = memory[name] as Stored.Stored | number
      return typeof stored === "number" ? stored : tensorOf(stored)
    }
    const next = Learned.withParameters(self.prefixes, states, mapped(checkpoint.parameters, tensorOf))
    Layer.commit(
      new Map(
        [...next].map(([cell, state]) => [
          cell,
          { ...state, memory: Tree.map(state.memory, remembered, self.prefixes.get(cell) ?? "") }
        ])
      )
    )
    const before = MutableRef.get(self.state)
    MutableRef.set(self.state, stateOf(checkpoint.optimizer))
    tf.dispose([...Optimizer.tensorsOf(before)])
    return Effect.void
  })

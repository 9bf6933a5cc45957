/**
 * Chosen parameters treated in their own way: functions from optimisers to optimisers.
 *
 * Room: train (level 5). Imports: tfjs, effect, `core`, `op`, `tensor`. Laws: test/train/Optimizer.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { dual } from "effect/Function"
import type { Named, Optimizer, State } from "../core/Optimizer.ts"
import * as Clamp from "../op/Clamp.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import { nearest } from "../tensor/Nearest.ts"

// ---- choosing -----------------------------------------------------------------------------------------------

/** Which parameters: their names, or a question about a name. */
export type Selection = string | ReadonlyArray<string> | ((name: string) => boolean)

const selects = (selection: Selection): ((name: string) => boolean) => {
  if (typeof selection === "function") return selection
  const names = new Set(typeof selection === "string" ? [selection] : selection)
  return (name) => names.has(name)
}

/** A name that no parameter has, or a question to which all say no. */
const checkSelection = (
  what: string,
  selection: Selection,
  names: ReadonlyArray<string>
): InvalidOptions | undefined => {
  const option = "selection"
  if (typeof selection === "function")
    return names.some(selection)
      ? undefined
      : new InvalidOptions({ what, option, reason: `selects none of the parameters: ${names.join(", ")}` })
  const unknown = [selection].flat().find((name) => !names.includes(name))
  if (unknown === undefined) return undefined
  const near = nearest(unknown, names)
  const hint = near === undefined ? `there are: ${names.join(", ")}` : `did you mean "${near}"?`
  return new InvalidOptions({ what, option, reason: `names "${unknown}", which is no parameter; ${hint}` })
}

// ---- from optimisers to optimisers --------------------------------------------------------------------------

/**
 * Leaves the chosen parameters as they are: they get no gradient, no decay and no slot. A selection that fits no parameter is
 * refused when training begins.
 *
 * @category from optimisers to optimisers
 * @since 0.3.0
 */
export const freeze: {
  (selection: Selection): (self: Optimizer) => Optimizer
  (self: Optimizer, selection: Selection): Optimizer
} = dual(2, (self: Optimizer, selection: Selection): Optimizer => {
  const chosen = selects(selection)
  return {
    ...self,
    check: (names) => self.check(names) ?? checkSelection("Parameters.freeze", selection, names),
    update: (state, parameters, gradients) => {
      const left = Object.entries(gradients).map(([name, g]) => [name, chosen(name) ? null : g] as const)
      return self.update(state, parameters, Object.fromEntries(left))
    }
  }
})

/** Bounds of parameters, and which ones they are for. */
export interface Bounds {
  readonly low: number
  readonly high: number
  readonly selection: Selection
}

/**
 * Keeps the chosen parameters within bounds: after every step `p <- max(low, min(high, p))`, as the training of binary networks
 * needs; NaN stays. A selection that fits no parameter is refused when training begins.
 *
 * @category from optimisers to optimisers
 * @since 0.3.0
 */
export const keepWithin: {
  (bounds: Bounds): (self: Optimizer) => Optimizer
  (self: Optimizer, bounds: Bounds): Optimizer
} = dual(2, (self: Optimizer, { low, high, selection }: Bounds): Optimizer => {
  const [what, chosen] = ["Parameters.keepWithin", selects(selection)]
  const wrong =
    low <= high ? undefined : new InvalidOptions({ what, option: "low", reason: `is not up to high: ${low}, ${high}` })
  return {
    ...self,
    check: (names) => self.check(names) ?? wrong ?? checkSelection(what, selection, names),
    update: (state, parameters, gradients) => {
      const [stepped, next] = self.update(state, parameters, gradients)
      const held = Object.entries(stepped).map(([name, p]) =>
        chosen(name) && p !== parameters[name] ? [name, Clamp.within(p, low, high)] : [name, p]
      )
      return [Object.fromEntries(held) as Named<tf.Tensor>, next]
    }
  }
})

/** Another optimiser for some parameters. */
export interface Part {
  readonly selection: Selection
  readonly optimizer: Optimizer
}

/**
 * Trains the chosen parameters with another optimiser: learned scales at a rate of their own, say, or without weight decay. The rate
 * that it reports is that of `self`.
 *
 * @category from optimisers to optimisers
 * @since 0.3.0
 */
export const trainWith: {
  (part: Part): (self: Optimizer) => Optimizer
  (self: Optimizer, part: Part): Optimizer
} = dual(2, (self: Optimizer, { selection, optimizer }: Part): Optimizer => {
  const chosen = selects(selection)
  const some = <A>(all: Named<A>, wanted: boolean): Named<A> =>
    Object.fromEntries(Object.entries(all).filter(([name]) => chosen(name) === wanted))
  const part = (wanted: boolean, { steps, slots }: State): State => ({ steps, slots: some(slots, wanted) })
  return {
    ...self,
    kind: `${self.kind} with ${optimizer.kind}`,
    check: (names) =>
      checkSelection("Parameters.trainWith", selection, names) ??
      self.check(names.filter((name) => !chosen(name))) ??
      optimizer.check(names.filter(chosen)),
    init: (parameters) => {
      const [rest, own] = [self.init(some(parameters, false)), optimizer.init(some(parameters, true))]
      return { steps: rest.steps, slots: { ...rest.slots, ...own.slots } }
    },
    update: (state, parameters, gradients) => {
      const step = (by: Optimizer, wanted: boolean) =>
        by.update(part(wanted, state), some(parameters, wanted), some(gradients, wanted))
      const [[rest, restState], [own, ownState]] = [step(self, false), step(optimizer, true)]
      const names = Object.keys(parameters)
      const stepped = names.map((name) => [name, (chosen(name) ? own : rest)[name]])
      return [
        Object.fromEntries(stepped) as Named<tf.Tensor>,
        { steps: restState.steps, slots: { ...restState.slots, ...ownState.slots } }
      ]
    }
  }
})

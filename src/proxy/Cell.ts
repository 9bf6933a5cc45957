/**
 * A cell: a reference to a state (parameters and memory) that training replaces step by step and a reload replaces as a whole.
 *
 * Room: proxy (level 3). Imports: tfjs types, effect, `tensor`, `inject`, `core`, `./Origin.ts`. Laws: test/proxy/QuantProxy.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import type { External, Quantized, TensorQuantizer } from "../core/TensorQuantizer.ts"
import type * as Injector from "../inject/Injector.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { Origins } from "./Origin.ts"

/** Parameters and memory: what a step replaces. */
export interface State {
  readonly parameters: Tree.Parameters
  readonly memory: Tree.Memory
}

/** Which tensor of a layer a proxy quantizes. */
export type Slot = "weight" | "bias" | "input" | "output" | "activation"

/** What a cell holds: a state, and the quantizer that it belongs to, unless it is a layer's own. */
export interface Living extends State {
  readonly quantizer: TensorQuantizer | undefined
  readonly signed: boolean | undefined
  /** the tensors that the quantizer's statistics are taken of, as the given cells have them; none if not of parameters */
  readonly tracked: Tracked
  /** what the quantizer is for; a layer's own state is for none */
  readonly slot?: Slot
  /** the declaration that the quantizer was resolved from */
  readonly injector?: Injector.Any
  /** what the quantizer answers to tensors that never change, where that is known beforehand; absent: nothing is */
  readonly constants?: Constants
  /** the latest state, which the finalizer of the generation disposes */
  readonly latest: MutableRef.MutableRef<State>
  /** where a layer's own parameters stand in a PyTorch state dict, if not where they are expected */
  readonly origins?: Origins
}

/** An answer that was computed once, if there is one to this tensor and what comes from outside. */
export type Constants = (x: tf.Tensor, external: External) => Quantized | undefined

/** A reference to the state of a layer, or of one of its quantizers. */
export type Cell = LeasedRef.LeasedRef<Living>

/** Parameters that cells have at a moment other than the present: while a load is on its way, or under a gradient. */
export type Candidates = (cell: Cell) => Tree.Parameters | undefined
/** The tensors that a quantizer follows: those of the candidates, or of the layers now. */
export type Tracked = (candidates: Candidates) => ReadonlyArray<tf.Tensor>

const nothingTracked: Tracked = () => []

const dispose = ({ parameters, memory }: State): void => {
  Tree.release(parameters)
  Tree.release(memory)
}

const cloned = <Leaf extends tf.Tensor | number>(tree: Tree.Tree<Leaf>): Tree.Tree<Leaf> =>
  Tree.map(tree, (leaf) => (typeof leaf === "number" ? leaf : (leaf.clone() as typeof leaf)))

/** A living state that begins as a copy of `initial` and is disposed with the surrounding Scope, whatever it has become. */
export const living = (
  initial: State,
  quantizer?: TensorQuantizer,
  signed?: boolean,
  tracked: Tracked = nothingTracked
): Effect.Effect<Living, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const state = { parameters: cloned(initial.parameters), memory: cloned(initial.memory) }
      return { ...state, quantizer, signed, tracked, latest: MutableRef.make<State>(state) }
    }),
    ({ latest }) => Effect.sync(() => dispose(MutableRef.get(latest)))
  )

/** A layer's own state, which also says where it stands in a PyTorch state dict. */
export const own = (initial: State, origins: Origins): Effect.Effect<Living, never, Scope.Scope> =>
  Effect.map(living(initial), (state) => ({ ...state, origins }))

/**
 * Puts the state after a step into the cell. What it no longer shares with the state before is disposed, at once or after the
 * last reader. Synchronous: reading, computing and committing happen in one run, so nothing is swapped in between.
 */
export const commit = (cell: Cell, next: State): void => {
  const before = LeasedRef.current(cell)
  if (next.parameters === before.parameters && next.memory === before.memory) return
  MutableRef.set(before.latest, { parameters: next.parameters, memory: next.memory })
  LeasedRef.set(cell, { ...before, parameters: next.parameters, memory: next.memory }, () => {
    Tree.release(before.parameters, next.parameters)
    Tree.release(before.memory, next.memory)
  })
}

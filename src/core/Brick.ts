/**
 * A brick: one named part of a quantizer, with its parameters and memory as values and its formula as a pure function.
 *
 * A quantizer is a tree of bricks. A stateful brick takes its state and answers `[result, next memory]`; nothing is changed. What a brick
 * is stands in `BrickModel.ts`.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `inject`, `./BrickModel.ts`, `./BrickTree.ts`, `./Sharing.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Scope } from "effect"
import * as Injector from "../inject/Injector.ts"
import * as Tree from "../tensor/Tree.ts"
import type { Answer, Brick, State, Stateful } from "./BrickModel.ts"
import { none, nothing, unchanged } from "./BrickTree.ts"
import * as Sharing from "./Sharing.ts"

export type { Answer, Attempt, Brick, Passing, State, Stateful, Stateless, Trial } from "./BrickModel.ts"
export { parts, show, shown } from "./BrickTree.ts"

// ---- constructors -------------------------------------------------------------------------------------------

interface Given extends Partial<Pick<Brick, "parameters" | "memory" | "prepare" | "persistence">> {
  readonly constants?: ReadonlyArray<tf.Tensor>
}

/** As `unchanged`, of a brick that does something, but has no state and none below it. */
const still: Brick["prepare"] = (state) => state
const isStateful = ({ prepare }: Brick): boolean => prepare !== unchanged && prepare !== still

const statesIn = (children: Readonly<Record<string, Brick>>): number => {
  let count = 0
  for (const name in children) if (isStateful(children[name] as Brick)) count++
  return count
}

const treesOf = <Leaf extends tf.Tensor | number>(
  own: Tree.Tree<Leaf>,
  children: Readonly<Record<string, Brick>>,
  pick: (child: Brick) => Tree.Tree<Leaf>
): Tree.Tree<Leaf> => {
  let tree: Record<string, Leaf | Tree.Tree<Leaf>> | undefined
  for (const name in children) {
    const inner = pick(children[name] as Brick)
    if (inner !== nothing && Object.keys(inner).length > 0) {
      tree ??= { ...own }
      tree[name] = inner
    }
  }
  return tree ?? own
}

/** A kind whose calls find the state of a shared brick in each of its places. */
const lending = <Kind extends object>(kind: Kind, loans: ReadonlyArray<Sharing.Loan>): Kind => {
  const { apply } = kind as { readonly apply?: Stateful<ReadonlyArray<unknown>, unknown>["apply"] }
  if (apply === undefined || loans.length === 0) return kind
  const lent: typeof apply = (state, ...inputs) => {
    const whole = Sharing.lent(state, loans)
    const [result, after] = apply(whole, ...inputs)
    return [result, after === whole.memory ? state.memory : Sharing.returned(whole.memory, after, loans)]
  }
  return { ...kind, apply: lent }
}

/**
 * A brick of this kind with these children and its own parameters, memory and constants. A brick that stands in several places
 * has its parameters and memory at the first one.
 */
export const make = <Kind extends object>(
  label: string,
  children: Readonly<Record<string, Brick>>,
  own: Given,
  kind: Kind
): Brick & Kind => {
  const states = statesIn(children)
  return states === 0 && own.parameters === undefined && own.memory === undefined && own.prepare === undefined
    ? Object.assign(
        { label, children, parameters: nothing, memory: nothing, own: own.constants ?? none, prepare: still },
        kind
      )
    : withState(label, children, own, kind, states < 2 ? none : Sharing.loans(children, isStateful))
}

const withState = <Kind extends object>(
  label: string,
  children: Readonly<Record<string, Brick>>,
  own: Given,
  kind: Kind,
  loans: ReadonlyArray<Sharing.Loan>
): Brick & Kind => {
  const { parameters = nothing, memory = nothing, constants = none } = own
  const whole = {
    label,
    children,
    parameters: Sharing.once(
      treesOf(parameters, children, (child) => child.parameters),
      loans
    ),
    memory: Sharing.once(
      treesOf(memory, children, (child) => child.memory),
      loans
    ),
    own:
      parameters === nothing && memory === nothing
        ? constants
        : [...Tree.tensors(parameters), ...Tree.tensors(memory), ...constants],
    persistence: own.persistence,
    prepare: (state: State) => {
      const mine = own.prepare?.(state)
      let prepared: State = mine === undefined ? state : { ...state, ...mine }
      for (const name in children) prepared = prepareChild(children[name] as Brick, prepared, name)
      return prepared
    },
    ...lending(kind, loans)
  }
  return loans.length === 0 ? whole : { ...whole, prepare: lendingPrepare(whole.prepare, loans) }
}

const lendingPrepare =
  (prepare: Brick["prepare"], loans: ReadonlyArray<Sharing.Loan>): Brick["prepare"] =>
  (state) => {
    const whole = Sharing.lent(state, loans)
    const after = prepare(whole)
    return {
      parameters:
        after.parameters === whole.parameters
          ? state.parameters
          : Sharing.returned(whole.parameters, after.parameters, loans),
      memory: after.memory === whole.memory ? state.memory : Sharing.returned(whole.memory, after.memory, loans)
    }
  }

/** The state with the part of one child prepared: the very same one if the child has nothing to prepare. */
export const prepareChild = (child: Brick, before: State, name: string): State => {
  if (!isStateful(child)) return before
  const part = partOf(before, name)
  const after = child.prepare(part)
  return after.parameters === part.parameters && after.memory === part.memory
    ? before
    : {
        ...before,
        parameters: { ...before.parameters, [name]: after.parameters },
        memory: { ...before.memory, [name]: after.memory }
      }
}

/** The part of a state that belongs to a child. */
export const partOf = (state: State, name: string): State => ({
  ...state,
  parameters: Tree.at(state.parameters, name),
  memory: Tree.at(state.memory, name)
})

/** A component for the injector whose brick is released with the Scope of its resolution. */
export const component = <const D extends Parameters<typeof Injector.component>[1], A extends Brick>(
  label: string,
  dependencies: D,
  build: (given: Injector.AllOf<D>) => A
): Injector.Constructor<A, Injector.RequiredOf<D>, Injector.OptionalOf<D>, Scope.Scope> =>
  Injector.componentScoped(label, dependencies, build, disposeOwn)

/** An attribute computed from others as a tensor, which is released with the Scope of the resolution. */
export const tensor = <const N extends ReadonlyArray<string>, A extends { [I in keyof N]: unknown }>(
  names: N,
  f: (...args: A) => tf.Tensor
): Injector.Value<tf.Tensor, Injector.RequiredArgs<N, A>, Injector.OptionalArgs<N, A>, never, Scope.Scope> =>
  Injector.valueScoped(
    names,
    (...args: A) => tf.tidy(() => f(...args)),
    (made) => made.dispose()
  )

// ---- operations ---------------------------------------------------------------------------------------------

/** Calls a child with its part of the state. */
export const call = <In extends ReadonlyArray<unknown>, Out>(
  child: Stateful<In, Out>,
  state: State,
  name: string,
  ...inputs: In
): Answer<Out> => child.apply(partOf(state, name), ...inputs)

/** The memory after a call of the children: the very same one if none of them changed theirs. */
export const remembered = (before: Tree.Memory, children: Readonly<Record<string, Tree.Memory>>): Tree.Memory => {
  const changed = Object.entries(children).filter(
    ([name, after]) => after !== before[name] && Object.keys(after).length > 0
  )
  return changed.length === 0 ? before : { ...before, ...Object.fromEntries(changed) }
}

/** The tensors of a brick and all parts below it that no injector built: for the brick that made them to own. */
export const ownTensors = (brick: Brick): ReadonlyArray<tf.Tensor> => [
  ...brick.own,
  ...Object.values(brick.children).flatMap(ownTensors)
]

/** Disposes what a brick itself made; its children have their own lives. */
export const disposeOwn = (brick: Brick): void => {
  for (const made of brick.own) made.dispose()
}

/** Disposes a brick that was wired by hand, with all its children. */
export const dispose = (brick: Brick): void => {
  disposeOwn(brick)
  for (const child of Object.values(brick.children)) dispose(child)
}

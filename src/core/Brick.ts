/**
 * A brick: one named part of a quantizer, with its parameters and memory as values and its formula as a pure function.
 *
 * A quantizer is a tree of bricks. A stateful brick takes its state and answers `[result, next memory]`; nothing is changed.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `inject`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Scope } from "effect"
import * as Injector from "../inject/Injector.ts"
import * as Tree from "../tensor/Tree.ts"

/** What a brick is given: its own parameters and memory, and whether this is training. */
export interface State {
  readonly parameters: Tree.Parameters
  readonly memory: Tree.Memory
  readonly training: boolean
}

/** A result and the memory after it. */
export type Answer<A> = readonly [result: A, memory: Tree.Memory]

/** What every brick has. */
export interface Brick {
  /** the name of its kind, as printed */
  readonly label: string
  readonly children: Readonly<Record<string, Brick>>
  /** the initial parameters, the children's under their names */
  readonly parameters: Tree.Parameters
  /** the initial memory, the children's under their names */
  readonly memory: Tree.Memory
  /** the tensors that it made and that go with it */
  readonly own: ReadonlyArray<tf.Tensor>
  /** turns state into the state that the next call starts from, where the two differ (statistics that become parameters) */
  readonly prepare: (state: State) => Pick<State, "parameters" | "memory">
}

/** A stateful brick: a formula over its state and `In`. */
export interface Stateful<In extends ReadonlyArray<unknown>, Out> extends Brick {
  readonly apply: (state: State, ...inputs: In) => Answer<Out>
}
/** A stateless brick. */
export interface Stateless<In extends ReadonlyArray<unknown>, Out> extends Brick {
  readonly apply: (...inputs: In) => Out
}

// ---- constructors -------------------------------------------------------------------------------------------

interface Own {
  readonly parameters?: Tree.Parameters
  readonly memory?: Tree.Memory
  readonly constants?: ReadonlyArray<tf.Tensor>
  readonly prepare?: Brick["prepare"]
}

const nothing = {}

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

/** A brick of this kind with these children and its own parameters, memory and constants. */
export const make = <Kind extends object>(
  label: string,
  children: Readonly<Record<string, Brick>>,
  own: Own,
  kind: Kind
): Brick & Kind => {
  const parameters = own.parameters ?? nothing
  const memory = own.memory ?? nothing
  return {
    label,
    children,
    parameters: treesOf(parameters, children, (child) => child.parameters),
    memory: treesOf(memory, children, (child) => child.memory),
    own:
      parameters === nothing && memory === nothing
        ? (own.constants ?? [])
        : [...Tree.tensors(parameters), ...Tree.tensors(memory), ...(own.constants ?? [])],
    prepare: (state) => prepareAll(children, own.prepare?.(state) ?? state, state.training),
    ...kind
  }
}

const prepareAll = (
  children: Readonly<Record<string, Brick>>,
  state: Pick<State, "parameters" | "memory">,
  training: boolean
): Pick<State, "parameters" | "memory"> =>
  Object.entries(children).reduce((before, [name, child]) => {
    const parameters = Tree.at(before.parameters, name)
    const memory = Tree.at(before.memory, name)
    const after = child.prepare({ parameters, memory, training })
    return after.parameters === parameters && after.memory === memory
      ? before
      : {
          parameters: { ...before.parameters, [name]: after.parameters },
          memory: { ...before.memory, [name]: after.memory }
        }
  }, state)

const unchanged: Brick["prepare"] = (state) => state

/** A part that only shows in the tree. */
export const shown = (label: string, children: Readonly<Record<string, Brick>> = nothing): Brick => ({
  label,
  children,
  parameters: nothing,
  memory: nothing,
  own: [],
  prepare: unchanged
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
): Answer<Out> =>
  child.apply(
    { parameters: Tree.at(state.parameters, name), memory: Tree.at(state.memory, name), training: state.training },
    ...inputs
  )

/** The memory after a call of the children: the very same one if none of them changed theirs. */
export const remembered = (before: Tree.Memory, children: Readonly<Record<string, Tree.Memory>>): Tree.Memory => {
  const changed = Object.entries(children).filter(
    ([name, after]) => after !== before[name] && Object.keys(after).length > 0
  )
  return changed.length === 0 ? before : { ...before, ...Object.fromEntries(changed) }
}

/** Disposes what a brick itself made; its children have their own lives. */
export const disposeOwn = (brick: Brick): void => {
  for (const made of brick.own) made.dispose()
}

/** Disposes a brick that was wired by hand, with all its children. */
export const dispose = (brick: Brick): void => {
  disposeOwn(brick)
  for (const child of Object.values(brick.children)) dispose(child)
}

/** Every brick with its dotted path, depth first: `[["", "RescalingIntQuant"], ["intQuant", "IntQuant"], …]`. */
export const parts = (brick: Brick, path = ""): ReadonlyArray<readonly [path: string, label: string]> => [
  [path, brick.label],
  ...Object.entries(brick.children).flatMap(([name, child]) => parts(child, path === "" ? name : `${path}.${name}`))
]

/** The tree as text, one part a line. */
export const show = (brick: Brick, indent = ""): string => {
  const inner = Object.entries(brick.children).map(
    ([name, child]) => `${indent}  (${name}): ${show(child, `${indent}  `)}`
  )
  return inner.length === 0 ? `${brick.label}()` : [`${brick.label}(`, ...inner, `${indent})`].join("\n")
}

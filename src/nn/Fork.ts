/**
 * A model of its own: the same layers over other cells, which begin as the model is now, or with other parameters or quantizers.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `inject`, `proxy`, `tensor`, `./ForkedLayer.ts`, `./Layer.ts`, `./StateSwap.ts`.
 * Laws: test/nn/Fork.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, MutableRef, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import type * as Injector from "../inject/Injector.ts"
import * as Cell from "../proxy/Cell.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as ForkedLayer from "./ForkedLayer.ts"
import type * as Layer from "./Layer.ts"
import * as StateSwap from "./StateSwap.ts"

// ---- model --------------------------------------------------------------------------------------------------

/**
 * What a cell of the model begins with in the fork, in the place of what it holds now. It is called within a `tf.tidy`, in one run
 * for all cells; the fork works on copies, so what is answered may be anybody's. Tensors may have other shapes than before.
 */
export type Beginning = (cell: Cell.Cell, now: Cell.Living) => Cell.State | undefined

/**
 * Another declaration for a quantizer, by its path in the model (`block.conv1.weightQuant`), or `null` for none; `undefined` keeps it,
 * with what it has learned. A shared quantizer is asked for under each of its names until there is an answer.
 */
export type Quantizers = (name: string, proxy: QuantProxy.QuantProxy) => Injector.Any | null | undefined

// ---- cells --------------------------------------------------------------------------------------------------

type Cells = ReadonlyMap<Cell.Cell, Cell.Cell>

/** The cells whose parameters a module tells of; none: what it tells never changes. */
const askedBy = (module: QuantProxy.TrackedModule): ReadonlyArray<Cell.Cell> => {
  const asked: Array<Cell.Cell> = []
  module((cell) => {
    asked.push(cell)
    return undefined
  })
  return asked
}

/** The cells of a layer, and those of layers outside that its quantizers follow: these stay in the fork as they are. */
const cellsOf = (layer: Layer.Stateful): ReadonlyArray<Cell.Cell> => [
  ...new Set([
    ...layer.cells.map(([, cell]) => cell),
    ...layer.proxies.flatMap(([, { modules }]) => MutableRef.get(modules).flatMap(askedBy))
  ])
]

const copied = ({ parameters, memory }: Cell.State): Cell.State => {
  const copy = <Leaf extends tf.Tensor | number>(leaf: Leaf): Leaf =>
    leaf instanceof tf.Tensor ? (tf.keep(leaf.clone()) as Leaf) : leaf
  return { parameters: Tree.map(parameters, copy), memory: Tree.map(memory, copy) }
}

const released = ({ parameters, memory }: Cell.State): void => {
  Tree.release(parameters)
  Tree.release(memory)
}

/** Copies of what all cells begin with, taken in one run. */
const begun = (cells: ReadonlyArray<Cell.Cell>, beginning: Beginning): ReadonlyMap<Cell.Cell, Cell.State> => {
  const copies = new Map<Cell.Cell, Cell.State>()
  tf.tidy(() => {
    for (const cell of cells) {
      const now = LeasedRef.current(cell)
      copies.set(cell, copied(beginning(cell, now) ?? now))
    }
  })
  return copies
}

/** Asks about the twins of cells what is asked about the cells. */
const moved =
  <A>(cells: Cells, f: (candidates: Cell.Candidates) => A): ((candidates: Cell.Candidates) => A) =>
  (candidates) =>
    f((cell) => {
      const mine = cells.get(cell)
      return mine && (candidates(mine) ?? LeasedRef.current(mine).parameters)
    })

/** A cell that begins with a state and what else the original holds; the original's bricks stay alive as long as it. */
const twin = (cell: Cell.Cell, state: Cell.State, cells: Cells): Effect.Effect<Cell.Cell, never, Scope.Scope> =>
  LeasedRef.make(
    Effect.gen(function* () {
      yield* LeasedRef.hold(cell)
      const { slot, injector, origins, quantizer, signed, tracked } = LeasedRef.current(cell)
      const living = yield* Cell.living(state, quantizer, signed, moved(cells, tracked))
      return { ...living, ...(slot && { slot }), ...(injector && { injector }), ...(origins && { origins }) }
    })
  )

const twinsOf = (
  cells: ReadonlyArray<Cell.Cell>,
  beginning: Beginning
): Effect.Effect<Map<Cell.Cell, Cell.Cell>, never, Scope.Scope> =>
  Effect.acquireUseRelease(
    Effect.sync(() => begun(cells, beginning)),
    (states) =>
      Effect.gen(function* () {
        const twins = new Map<Cell.Cell, Cell.Cell>()
        for (const [cell, state] of states) twins.set(cell, yield* twin(cell, state, twins))
        return twins
      }),
    (states) => Effect.sync(() => [...states.values()].forEach(released))
  )

// ---- proxies ------------------------------------------------------------------------------------------------

/** A module of the fork: of the twins of its cells. What never changes is copied, for the original may be gone when it is asked for. */
const moduleOf = (
  module: QuantProxy.TrackedModule,
  cells: Cells
): Effect.Effect<QuantProxy.TrackedModule, never, Scope.Scope> => {
  if (askedBy(module).length > 0) return Effect.succeed(moved(cells, module))
  const kept = (): Module => {
    const facts = module(() => undefined)
    const weight = tf.keep(facts.weight.clone())
    return { ...facts, weight, ...(facts.bias && { bias: tf.keep(facts.bias.clone()) }) }
  }
  return Effect.map(
    Effect.acquireRelease(Effect.sync(kept), ({ weight, bias }) => Effect.sync(() => tf.dispose({ weight, bias }))),
    (facts) => () => facts
  )
}

const declared = (
  layer: Layer.Stateful,
  proxy: QuantProxy.QuantProxy,
  quantizers: Quantizers
): Injector.Any | null | undefined => {
  const names = layer.proxies.flatMap(([name, other]) => (other === proxy ? [name] : []))
  return names.map((name) => quantizers(name, proxy)).find((answer) => answer !== undefined)
}

// ---- forks --------------------------------------------------------------------------------------------------

const forked = <L extends Layer.Stateful, E>(
  layer: L,
  beginning: Beginning,
  proxyOf: (
    proxy: QuantProxy.QuantProxy,
    modules: ReadonlyArray<QuantProxy.TrackedModule>,
    cell: Cell.Cell
  ) => Effect.Effect<QuantProxy.QuantProxy | undefined, E, Scope.Scope>
): Effect.Effect<L, E, Scope.Scope> =>
  StateSwap.locked(
    layer,
    Effect.gen(function* () {
      const own = yield* twinsOf(cellsOf(layer), beginning)
      const proxies = new Map<QuantProxy.QuantProxy, QuantProxy.QuantProxy | undefined>()
      const cells = new Map<Cell.Cell, Cell.Cell | undefined>(own)
      for (const proxy of new Set(layer.proxies.map(([, one]) => one))) {
        const modules = yield* Effect.forEach(MutableRef.get(proxy.modules), (module) => moduleOf(module, own))
        const mine = yield* proxyOf(proxy, modules, own.get(proxy.cell) as Cell.Cell)
        proxies.set(proxy, mine)
        cells.set(proxy.cell, mine?.cell)
      }
      return ForkedLayer.over(layer, { cells, proxies })
    })
  )

const same: Beginning = () => undefined

/** The proxy of a fork that goes on with what was learned. */
const continued = (
  proxy: QuantProxy.QuantProxy,
  modules: ReadonlyArray<QuantProxy.TrackedModule>,
  cell: Cell.Cell
): QuantProxy.QuantProxy => ({ ...proxy, cell, modules: MutableRef.make(modules) })

/**
 * The same model, or layer, with its own cells: what either learns, loads or reloads from now on leaves the other as it is. What
 * layers share is shared within the fork as well; a quantizer that is shared with layers outside keeps to their weights of this
 * moment. Tensors are not copied until one side replaces them. It lives in the surrounding Scope, also longer than the original.
 *
 * - formula:  `fork(x) = model(x)`, to the bit, in every mode
 * - shapes:   as the model's
 * - gradient: as the model's
 * - errors:   none; those of the model, when it is called
 * - source:   `copy.deepcopy` of PyTorch modules serves for this elsewhere
 *
 * @category forks
 * @since 0.4.0
 */
export const make = <L extends Layer.Stateful>(
  layer: L,
  beginning: Beginning = same
): Effect.Effect<L, never, Scope.Scope> =>
  forked(layer, beginning, (proxy, modules, cell) => Effect.sync(() => continued(proxy, modules, cell)))

/**
 * A fork with other quantizers in the place of some: these are resolved for the weights that the fork begins with, and learn anew.
 * A quantizer that is replaced by `null` is gone from the fork, its values run through as they are. Answering a proxy's own
 * `injector` lets it begin anew, as after new weights it should.
 *
 * ```ts
 * Fork.requantized(model, (name) => (name.endsWith("weightQuant") ? ScaledInt.Int4WeightPerTensorFloatDecoupled : undefined))
 * ```
 *
 * - formula:  the model's, with the quantizers that `quantizers` answers
 * - shapes:   as the model's
 * - gradient: as the model's
 * - errors:   those of a resolution; the model is never changed
 * - source:   none
 *
 * @category forks
 * @since 0.4.0
 */
export const requantized = <L extends Layer.Stateful>(
  layer: L,
  quantizers: Quantizers,
  beginning: Beginning = same
): Effect.Effect<L, ResolutionError, Scope.Scope> =>
  forked(layer, beginning, (proxy, modules, cell) => {
    const injector = declared(layer, proxy, quantizers)
    if (injector === null) return Effect.succeed(undefined)
    if (injector === undefined) return Effect.sync(() => continued(proxy, modules, cell))
    return QuantProxy.ofModules(proxy.slot, injector, modules)
  })

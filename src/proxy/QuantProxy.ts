/**
 * The living quantizer of a layer: a declaration and a reference to what it resolved to, rebuilt when the layer's weights are
 * loaded, when another layer joins, or by hand.
 *
 * A reload resolves first and swaps last: if resolving fails or is interrupted, the old quantizer stays, with its parameters.
 *
 * Room: proxy (level 3). Imports: effect, `tensor`, `inject`, `core`, `./Cell.ts`.
 */
import { Effect, MutableRef, type Scope } from "effect"
import type { Module, Modules } from "../core/Module.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Injector from "../inject/Injector.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Cell from "./Cell.ts"

/** Which tensor of a layer a proxy quantizes. */
export type Slot = Cell.Slot

const noCandidates: Cell.Candidates = () => undefined

/** A layer as a proxy tracks it: asked for its facts whenever the quantizer is resolved. */
export type TrackedModule = (candidates: Cell.Candidates) => Module

/** The quantizer of a slot as it lives: its declaration, its cell, and the layers that it serves. */
export interface QuantProxy {
  readonly _tag: "QuantProxy"
  readonly slot: Slot
  readonly injector: Injector.Any
  readonly cell: Cell.Cell
  readonly modules: MutableRef.MutableRef<ReadonlyArray<TrackedModule>>
}

/** Whether something is a living quantizer. */
export const isQuantProxy = (u: unknown): u is QuantProxy =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "QuantProxy"

// ---- resolving ----------------------------------------------------------------------------------------------

const factsOf = (modules: ReadonlyArray<TrackedModule>, candidates: Cell.Candidates): Modules => {
  const facts = modules.map((module) => module(candidates))
  return (facts.length === 1 ? facts[0] : facts) as Modules
}

/** The tensors of these modules that a quantizer of this slot is about. */
const trackedBy =
  (slot: Slot, modules: ReadonlyArray<TrackedModule>): Cell.Tracked =>
  (candidates) => {
    if (slot !== "weight" && slot !== "bias") return []
    return modules.flatMap((module) => {
      const { weight, bias } = module(candidates)
      return slot === "weight" ? [weight] : bias === undefined ? [] : [bias]
    })
  }

/** Resolves the declaration for these modules: a quantizer (or none) and its initial state, in the surrounding Scope. */
const resolved = (
  slot: Slot,
  injector: Injector.Any,
  modules: ReadonlyArray<TrackedModule>,
  candidates: Cell.Candidates
): Effect.Effect<Cell.Living, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const names = Injector.has(injector, "signed") ? ["tensorQuant", "signed"] : ["tensorQuant"]
    const { tensorQuant, signed } = yield* Injector.resolveUnknown(injector, names, {
      module: factsOf(modules, candidates)
    })
    if (tensorQuant === undefined) return yield* Cell.living({ parameters: {}, memory: {} })
    const quantizer = tensorQuant as TensorQuantizer
    const sign = typeof signed === "boolean" ? signed : undefined
    const living = yield* Cell.living(quantizer, quantizer, sign, trackedBy(slot, modules))
    return { ...living, slot, injector }
  })

// ---- constructors -------------------------------------------------------------------------------------------

/**
 * The proxy of one slot that several layers share; it lives in the surrounding Scope.
 *
 * - errors: those of a resolution
 */
export const ofModules = Effect.fn("QuantProxy.ofModules")(function* (
  slot: Slot,
  injector: Injector.Any,
  modules: ReadonlyArray<TrackedModule>
) {
  const cell = yield* LeasedRef.make(resolved(slot, injector, modules, noCandidates))
  const proxy: QuantProxy = { _tag: "QuantProxy", slot, injector, cell, modules: MutableRef.make(modules) }
  return proxy
})

/**
 * The proxy of one slot of a layer; it lives in the surrounding Scope.
 *
 * - errors: those of a resolution
 */
export const make = (
  slot: Slot,
  injector: Injector.Any,
  module: TrackedModule
): Effect.Effect<QuantProxy, ResolutionError, Scope.Scope> => ofModules(slot, injector, [module])

// ---- operations ---------------------------------------------------------------------------------------------

/**
 * Resolves anew, for parameters to come, without swapping yet, so that several proxies can be swapped together.
 *
 * - errors: those of a resolution
 */
export const stage = (
  self: QuantProxy,
  candidates: Cell.Candidates = noCandidates
): Effect.Effect<LeasedRef.Staged<Cell.Living>, ResolutionError, Scope.Scope> =>
  LeasedRef.stage(Effect.suspend(() => resolved(self.slot, self.injector, MutableRef.get(self.modules), candidates)))

/**
 * Rebuilds the quantizer from its declaration and the present weights; learned state begins anew.
 *
 * - errors: those of a resolution; the old quantizer stays then
 */
export const reload = Effect.fn("QuantProxy.reload")(
  (self: QuantProxy): Effect.Effect<void, ResolutionError> =>
    LeasedRef.reload(
      self.cell,
      Effect.suspend(() => resolved(self.slot, self.injector, MutableRef.get(self.modules), noCandidates))
    )
)

/**
 * Lets another layer share this proxy: the quantizer is rebuilt with all modules; on failure nothing changes.
 *
 * - errors: those of a resolution
 */
export const addModule = Effect.fn("QuantProxy.addModule")(
  (self: QuantProxy, module: TrackedModule): Effect.Effect<void, ResolutionError> =>
    Effect.scoped(
      Effect.gen(function* () {
        const modules = [...MutableRef.get(self.modules), module]
        const staged = yield* LeasedRef.stage(resolved(self.slot, self.injector, modules, noCandidates))
        yield* Effect.uninterruptible(
          Effect.andThen(
            Effect.sync(() => MutableRef.set(self.modules, modules)),
            LeasedRef.swap(self.cell, staged)
          )
        )
      })
    ).pipe(self.cell.lock.withPermit)
)

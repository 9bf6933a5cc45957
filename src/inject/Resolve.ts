/**
 * Resolving: an Effect that builds what is asked for, whose type says what can be missing.
 *
 * Room: inject (level 1). Imports: effect, the errors of `tensor`, its own room. Laws: laws/ResolutionLaws.ts.
 */
import type { Effect } from "effect"
import { dual } from "effect/Function"
import type {
  CircularDependency,
  ConstructionFailed,
  InvalidDependency,
  ResolutionError
} from "../tensor/WiringErrors.ts"
import type { InjectorOf } from "./BindingTypes.ts"
import type { Check, Lazy } from "./CheckTypes.ts"
import { contentOf } from "./Frame.ts"
import type { Any, Attributes, Injector } from "./InjectorTypes.ts"
import type { EnvOf, ErrorOf, MaybeMissing, Needs, StillMissing } from "./OutcomeTypes.ts"
import { resolution } from "./Resolution.ts"
import type { Resolved } from "./ResolvedTypes.ts"

/**
 * What any resolution can fail with, besides what its constructors fail with.
 *
 * The signatures below spell their results out: the compiler works out the variance of an alias over `P`, and never ends.
 */
export type Always = CircularDependency | ConstructionFailed | InvalidDependency

/** `K` itself, or what it could have been. As a bound of `K` it would spoil the inference of `P` from a nested call. */
type Known<P, K> = K extends keyof P ? K : keyof P & string

/**
 * Builds one attribute and what it needs, anew at each run; each attribute once per run, only what is looked at.
 *
 * A missing, misspelt or wrongly typed attribute does not compile; what only an open branch can need is in the error type.
 *
 * - errors: CircularDependency, ConstructionFailed, InvalidDependency; MissingDependency where an open branch needs a name;
 *   those of its constructors
 */
export const resolve: {
  <const K extends string>(
    name: K
  ): <P>(
    self: Injector<P> & Check<P, K>
  ) => Effect.Effect<Lazy<Resolved<P, K>>, Always | Lazy<MaybeMissing<P, K> | ErrorOf<P, K>>, Lazy<EnvOf<P, K>>>
  <P, const K extends string>(
    self: InjectorOf<P>,
    name: Known<P, K> & Check<P, K>
  ): Effect.Effect<Lazy<Resolved<P, K>>, Always | Lazy<MaybeMissing<P, K> | ErrorOf<P, K>>, Lazy<EnvOf<P, K>>>
} = dual(2, (self: Any, name: string) => resolution(self, [name], {}, (root) => contentOf(root, name)))

/**
 * Builds several attributes in one resolution: what they share is built once.
 *
 * - errors: as `resolve`
 */
export const resolveAll: {
  <const K extends string>(
    names: ReadonlyArray<K>
  ): <P>(
    self: Injector<P> & Check<P, K>
  ) => Effect.Effect<
    { readonly [N in K]: Lazy<Resolved<P, N>> },
    Always | Lazy<MaybeMissing<P, K> | ErrorOf<P, K>>,
    Lazy<EnvOf<P, K>>
  >
  <P, const K extends string>(
    self: InjectorOf<P>,
    names: ReadonlyArray<Known<P, K> & Check<P, K>>
  ): Effect.Effect<
    { readonly [N in K]: Lazy<Resolved<P, N>> },
    Always | Lazy<MaybeMissing<P, K> | ErrorOf<P, K>>,
    Lazy<EnvOf<P, K>>
  >
} = dual(2, (self: Any, names: ReadonlyArray<string>) =>
  resolution(self, names, {}, (root) => Object.fromEntries(names.map((name) => [name, contentOf(root, name)])))
)

/** The wiring of one attribute as a function of what is still missing; it hides the attributes and is compiled once. */
export interface Recipe<out A, in Given, out E, out R> {
  readonly injector: string
  readonly run: (given: Given) => Effect.Effect<A, E, R>
}
/** The recipe of an attribute: `recipe("tensorQuant")` of an injector that still lacks a name is a function of it. */
export const recipe: {
  <const K extends string>(
    name: K
  ): <P>(
    self: Injector<P>
  ) => Recipe<
    Lazy<Resolved<P, K>>,
    Lazy<Needs<P, K>>,
    Always | Lazy<StillMissing<P, K> | ErrorOf<P, K>>,
    Lazy<EnvOf<P, K>>
  >
  <P, const K extends string>(
    self: InjectorOf<P>,
    name: Known<P, K>
  ): Recipe<
    Lazy<Resolved<P, K>>,
    Lazy<Needs<P, K>>,
    Always | Lazy<StillMissing<P, K> | ErrorOf<P, K>>,
    Lazy<EnvOf<P, K>>
  >
} = dual(2, (self: Any, name: string) => ({
  injector: self.name,
  run: (given: Attributes) => resolution(self, [name], given, (root) => contentOf(root, name))
}))

/**
 * For names that only the running program knows: nothing is checked by the compiler.
 *
 * - errors: MissingDependency with the nearest name; CircularDependency, ConstructionFailed, InvalidDependency
 */
export const resolveUnknown = (
  self: Any,
  names: ReadonlyArray<string>,
  given: Attributes = {}
): Effect.Effect<Readonly<Record<string, unknown>>, ResolutionError, import("effect/Scope").Scope> =>
  resolution(self, names, given, (root) =>
    Object.fromEntries(names.map((name) => [name, contentOf(root, name)]))
  ) as ReturnType<typeof resolveUnknown>

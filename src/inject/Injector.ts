/**
 * An injector: an immutable record of named attributes that wires itself by matching names, when asked and as far as needed.
 *
 * `make`, `let` and `merge` only build new records; `resolve` is an Effect whose type says what can be missing. All functions
 * take the injector first, or last in a pipe: `pipe(q, Injector.let({ bitWidth: 4 }), Injector.resolve("tensorQuant"))`.
 *
 * Room: inject (level 1). Imports: effect, fp-ts types, the errors of `tensor`, its own room. Laws: laws/InjectorLaws.ts.
 */
import { type Effect, Equal, Hash, Inspectable, Pipeable } from "effect"
import { dual } from "effect/Function"
import type { Eq as FpEq } from "fp-ts/lib/Eq.js"
import type { Monoid as FpMonoid } from "fp-ts/lib/Monoid.js"
import {
  type CircularDependency,
  type ConstructionFailed,
  InvalidDependency,
  type ResolutionError
} from "../tensor/WiringErrors.ts"
import { contentOf } from "./Frame.ts"
import { InjectorId, isSource, type Source } from "./Plan.ts"
import { resolution } from "./Resolution.ts"
import { show } from "./Show.ts"
import type {
  Check,
  CheckLet,
  EnvOf,
  ErrorOf,
  InjectorOf,
  Lazy,
  MaybeMissing,
  Merge,
  Needs,
  Resolved,
  StillMissing
} from "./Types.ts"

export type { AllOf, OptionalArgs, OptionalOf, RequiredArgs, RequiredOf } from "./Binding.ts"
export {
  choose,
  component,
  componentEffect,
  componentScoped,
  link,
  optional,
  orElse,
  parent,
  raw,
  required,
  value,
  valueEffect,
  valueScoped
} from "./Binding.ts"
export { type Foreseen, foresee } from "./Foresight.ts"
export { diagnose, explain, mermaid } from "./Inspect.ts"
export { treeOf as tree } from "./Tree.ts"
export type {
  Check,
  CheckLet,
  Choose,
  Component,
  Constructor,
  EnvOf,
  ErrorOf,
  Link,
  MaybeMissing,
  Merge,
  Needs,
  Raw,
  Resolved,
  Value
} from "./Types.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A set of attributes as it was declared; the table of an injector is the right-biased fold of its layers. */
export interface Layer {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
}

/** An injector with the attributes `P`. */
export interface Injector<in out P>
  extends InjectorOf<P>,
    Source,
    Pipeable.Pipeable,
    Equal.Equal,
    Inspectable.Inspectable {
  readonly layers: ReadonlyArray<Layer>
}

// biome-ignore lint/suspicious/noExplicitAny: an injector whose attributes are not known to the compiler
export type Any = Injector<any>
export type Attributes = Readonly<Record<string, unknown>>

/**
 * The attributes of an injector: `interface Mine extends AttributesOf<typeof mine> {}` names them, so that declarations of what is
 * merged from it stay short.
 */
export type AttributesOf<I> = I extends InjectorOf<infer P> ? P : never

/** The attributes as they were declared, one a line. What they look at says `tree`, which stays out of bundles that do not name it. */
const listOf = ({ name, table }: Any): string =>
  [
    `Injector ${name || "(anonymous)"}`,
    ...Object.entries(table).map(([attribute, declared]) => `  ${attribute} = ${show(declared)}`)
  ].join("\n")

const prototype = {
  ...Inspectable.BaseProto,
  [InjectorId]: true as const,
  toString(this: Any): string {
    return listOf(this)
  },
  [Inspectable.NodeInspectSymbol](this: Any): string {
    return listOf(this)
  },
  toJSON(this: Any): unknown {
    const attributes = Object.entries(this.table).map(([name, attribute]) => [name, show(attribute)])
    return { _id: "Injector", name: this.name, attributes: Object.fromEntries(attributes) }
  },
  [Equal.symbol](this: Any, that: unknown): boolean {
    return isInjector(that) && sameTable(this, that)
  },
  [Hash.symbol](this: Any): number {
    return Hash.string(Object.keys(this.table).sort().join("\n"))
  },
  pipe(): unknown {
    // biome-ignore lint/complexity/noArguments: effect's own way to build a pipeable
    return Pipeable.pipeArguments(this, arguments)
  }
}

const sameTable = (a: Any, b: Any): boolean => {
  const names = Object.keys(a.table)
  return (
    names.length === Object.keys(b.table).length &&
    a.parent === b.parent &&
    names.every((name) => Object.hasOwn(b.table, name) && Equal.equals(a.table[name], b.table[name]))
  )
}

// The phantom exists for the compiler only: this is the one place where a record becomes an injector of its type.
const fromLayers = <P>(
  name: string,
  layers: ReadonlyArray<Layer>,
  table: Attributes,
  enclosing: Source | undefined
): Injector<P> => {
  const fields = { layers: Object.freeze(layers), table: Object.freeze(table), name, parent: enclosing }
  return Object.freeze(Object.assign(Object.create(prototype), fields)) as unknown as Injector<P>
}

// ---- constructors -------------------------------------------------------------------------------------------

/** The injector without attributes: the identity of `merge`. */
export const empty: Injector<{}> = fromLayers("", [], {}, undefined)

/** An injector with these attributes; the name serves messages and printing. */
export const make: {
  <const B extends Attributes>(name: string, attributes: B): Injector<B>
  <const B extends Attributes>(attributes: B): Injector<B>
} = <const B extends Attributes>(first: string | B, second?: B): Injector<B> => {
  const attributes = { ...(typeof first === "string" ? second : first) } as B
  const name = typeof first === "string" ? first : ""
  return fromLayers(name, [{ name, attributes: Object.freeze(attributes) }], { ...attributes }, undefined)
}

export const isInjector = (u: unknown): u is Any => isSource(u) && "layers" in u

// ---- operations: new injectors from old ones ----------------------------------------------------------------

/**
 * A new injector with some attributes replaced or added.
 *
 * A name that no part of the injector looks at does not compile (in the Python original it is silently ignored);
 * attributes for parts that come later are added with `merge`.
 */
const let_: {
  <const B extends Attributes>(attributes: B): <P>(self: Injector<P> & CheckLet<P, B>) => Injector<Merge<P, B>>
  <P, const B extends Attributes>(self: InjectorOf<P>, attributes: B & CheckLet<P, B>): Injector<Merge<P, B>>
} = dual(
  2,
  (self: Any, attributes: Attributes): Any =>
    fromLayers(
      self.name,
      [...self.layers, { name: "", attributes: Object.freeze({ ...attributes }) }],
      { ...self.table, ...attributes },
      self.parent
    )
)

export { let_ as let }

/** Both injectors' attributes; where both have a name, the right one (`that`) wins. */
export const merge: {
  <Q>(that: Injector<Q>): <P>(self: Injector<P>) => Injector<Merge<P, Q>>
  <P, Q>(self: InjectorOf<P>, that: Injector<Q>): Injector<Merge<P, Q>>
} = dual(2, (self: Any, that: Any): Any => {
  const wrong = [self, that].find((part) => !isInjector(part))
  if (wrong !== undefined)
    throw new InvalidDependency({
      injector: isInjector(self) ? self.name : "merge",
      attribute: "merge",
      path: [],
      reason: `only injectors can be merged, this is ${show(wrong)}; wrap attributes with Injector.make`
    })
  const name = [self.name, that.name].filter((part) => part !== "").join(" & ")
  return fromLayers(
    name,
    [...self.layers, ...that.layers],
    { ...self.table, ...that.table },
    that.parent ?? self.parent
  )
})

/** The same injector under a name of its own, for messages; its layers keep theirs. */
export const named: {
  (name: string): <P>(self: Injector<P>) => Injector<P>
  <P>(self: InjectorOf<P>, name: string): Injector<P>
} = dual(2, (self: Any, name: string): Any => fromLayers(name, self.layers, self.table, self.parent))

/** Whether the injector has an attribute of this name. */
export const has: {
  (name: string): (self: Any) => boolean
  (self: Any, name: string): boolean
} = dual(2, (self: Any, name: string): boolean => Object.hasOwn(self.table, name))

// ---- operations: resolving ----------------------------------------------------------------------------------

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

/** Builds several attributes in one resolution: what they share is built once. */
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

/** For names that only the running program knows: nothing is checked by the compiler. */
export const resolveUnknown = (
  self: Any,
  names: ReadonlyArray<string>,
  given: Attributes = {}
): Effect.Effect<Readonly<Record<string, unknown>>, ResolutionError, import("effect/Scope").Scope> =>
  resolution(self, names, given, (root) =>
    Object.fromEntries(names.map((name) => [name, contentOf(root, name)]))
  ) as ReturnType<typeof resolveUnknown>

// ---- instances ----------------------------------------------------------------------------------------------

/** fp-ts Monoid: `merge` and `empty`. Its injectors are of unknown content; the typed form is `merge`. */
export const Monoid: FpMonoid<Any> = { empty, concat: (a, b) => merge(a, b) }

/** fp-ts Eq: the same names with equal attributes; names of layers and what was overridden do not count. */
export const Eq: FpEq<Any> = { equals: (a, b) => Equal.equals(a, b) }

/**
 * An injector: an immutable record of named attributes that wires itself by matching names, when asked and as far as needed.
 *
 * `make`, `let` and `merge` only build new records; `resolve` is an Effect whose type says what can be missing. All functions
 * take the injector first, or last in a pipe: `pipe(q, Injector.let({ bitWidth: 4 }), Injector.resolve("tensorQuant"))`.
 *
 * Room: inject (level 1). Imports: effect, fp-ts types, the errors of `tensor`, its own room. Laws: laws/InjectorLaws.ts.
 */
import { Equal, Hash, Inspectable, Pipeable } from "effect"
import { dual } from "effect/Function"
import type { Eq as FpEq } from "fp-ts/lib/Eq.js"
import type { Monoid as FpMonoid } from "fp-ts/lib/Monoid.js"
import { InvalidDependency } from "../tensor/WiringErrors.ts"
import type { InjectorOf, Merge } from "./BindingTypes.ts"
import type { CheckLet } from "./CheckTypes.ts"
import type { Any, Attributes, Injector, Layer } from "./InjectorTypes.ts"
import { InjectorId, isSource, type Source } from "./Plan.ts"
import { show } from "./Show.ts"

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
export type { Choose, Component, Constructor, Link, Merge, Raw, Value } from "./BindingTypes.ts"
export type { Check, CheckLet } from "./CheckTypes.ts"
export { type Foreseen, foresee } from "./Foresight.ts"
export type { Any, Attributes, AttributesOf, Injector, Layer } from "./InjectorTypes.ts"
export { diagnose, explain, mermaid } from "./Inspect.ts"
export type { EnvOf, ErrorOf, MaybeMissing, Needs } from "./OutcomeTypes.ts"
export { type Always, type Recipe, recipe, resolve, resolveAll, resolveUnknown } from "./Resolve.ts"
export type { Resolved } from "./ResolvedTypes.ts"
export { treeOf as tree } from "./Tree.ts"

// ---- how one is printed and compared -------------------------------------------------------------------------

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

/** Whether something is an injector. */
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

// ---- instances ----------------------------------------------------------------------------------------------

/** fp-ts Monoid: `merge` and `empty`. Its injectors are of unknown content; the typed form is `merge`. */
export const Monoid: FpMonoid<Any> = { empty, concat: (a, b) => merge(a, b) }

/** fp-ts Eq: the same names with equal attributes; names of layers and what was overridden do not count. */
export const Eq: FpEq<Any> = { equals: (a, b) => Equal.equals(a, b) }

/**
 * What may stand behind a name besides a plain value: components, values, links, branches.
 *
 * Each constructor answers a frozen description (`Spec`); nothing runs before a resolution asks for it.
 *
 * Room: inject (level 1). Imports: effect's types. Laws: laws/InjectorLaws.ts.
 */
import type { Effect, Scope } from "effect"
import type { Choose, Component, Constructor, Given, Link, LinkPath, Raw, Value } from "./BindingTypes.ts"

const SpecId = "~breve/inject/Spec"

/** How a constructor builds: at once, as an Effect, or at once something that must be released. */
export type Mode = "sync" | "effect" | "scoped"

/** The description behind a binding, as the resolution reads it. */
export interface Spec {
  readonly kind: "constant" | "component" | "value" | "link" | "choose" | "nested"
  readonly mode: Mode
  readonly label: string
  readonly names: ReadonlyArray<string>
  /** undefined: required; otherwise the value to use when the attribute is absent */
  readonly defaults: ReadonlyArray<{ readonly value: unknown } | undefined>
  readonly call: (args: ReadonlyArray<unknown>) => unknown
  readonly release?: (built: unknown) => void
  readonly path?: LinkPath
  readonly cases?: Readonly<Record<string, unknown>>
  readonly value?: unknown
}

interface HasSpec {
  readonly [SpecId]: Spec
}
export const isBinding = (u: unknown): u is HasSpec =>
  u !== null && (typeof u === "object" || typeof u === "function") && SpecId in u
export const specOfBinding = (binding: HasSpec): Spec => binding[SpecId]

// The phantom of a binding exists for the compiler only: this is the one place where a description takes its type.
const bind = <B>(spec: Spec): B => Object.freeze({ [SpecId]: Object.freeze(spec) }) as unknown as B

// ---- dependencies -------------------------------------------------------------------------------------------

/** A dependency that must be there, of type `T`. */
export interface Required<out T> {
  readonly "~required": () => T
}
/** A dependency with a default. */
export interface Optional<out T> {
  readonly "~optional": () => T
  readonly value: T
}
type Dependencies = Readonly<Record<string, Required<unknown> | Optional<unknown>>>
export type RequiredOf<D> = {
  readonly [K in keyof D as D[K] extends Required<unknown> ? K : never]: D[K] extends Required<infer T> ? T : never
}
export type OptionalOf<D> = {
  readonly [K in keyof D as D[K] extends Optional<unknown> ? K : never]: D[K] extends Optional<infer T> ? T : never
}
export type AllOf<D> = {
  readonly [K in keyof D]: D[K] extends Required<infer T> ? T : D[K] extends Optional<infer T> ? T : never
}

const absent = (): never => {
  throw new TypeError("a dependency marker holds a type, not a value")
}
const requiredMarker: Required<never> = Object.freeze({ "~required": absent })

/** A required dependency: `{ scalingImpl: required<Scaling>() }`. */
export const required = <T>(): Required<T> => requiredMarker
/** An optional dependency with its default: `{ signed: optional(true) }`. */
export const optional = <T>(value: T): Optional<T> => Object.freeze({ "~optional": absent, value })

const isOptional = (d: Required<unknown> | Optional<unknown>): d is Optional<unknown> => "~optional" in d

// ---- components ---------------------------------------------------------------------------------------------

const describe = (
  label: string,
  dependencies: Dependencies,
  mode: Mode,
  // biome-ignore lint/suspicious/noExplicitAny: the record is typed by the caller's signature
  build: (given: any) => unknown,
  release?: (built: unknown) => void
): Spec => {
  const names = Object.keys(dependencies)
  const defaults = names.map((name) => {
    const d = dependencies[name]
    return d !== undefined && isOptional(d) ? { value: d.value } : undefined
  })
  const call = (args: ReadonlyArray<unknown>): unknown => {
    const given: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i++) given[names[i] as string] = args[i]
    return build(given)
  }
  return { kind: "component", mode, label, names, defaults, call, ...(release && { release }) }
}

const constructorOf = <C>(spec: Spec): C => {
  const byHand = (given: Readonly<Record<string, unknown>>): unknown =>
    spec.call(spec.names.map((name, i) => (given[name] === undefined ? spec.defaults[i]?.value : given[name])))
  Object.defineProperty(byHand, "name", { value: spec.label })
  return Object.freeze(Object.assign(byHand, { [SpecId]: Object.freeze(spec) })) as unknown as C
}

/** A constructor whose dependencies are looked up by name; it can also be called with them as a record. */
export const component = <const D extends Dependencies, A>(
  label: string,
  dependencies: D,
  build: (given: AllOf<D>) => A
): Constructor<A, RequiredOf<D>, OptionalOf<D>> => constructorOf(describe(label, dependencies, "sync", build))

/** Like `component`, for something that must be released: `release` runs when the Scope of the resolution closes. */
export const componentScoped = <const D extends Dependencies, A>(
  label: string,
  dependencies: D,
  build: (given: AllOf<D>) => A,
  release: (built: A) => void
): Constructor<A, RequiredOf<D>, OptionalOf<D>, Scope.Scope> =>
  constructorOf(describe(label, dependencies, "scoped", build, release as (built: unknown) => void))

/** Like `component`, built by an Effect. */
export const componentEffect = <const D extends Dependencies, A, E, R>(
  label: string,
  dependencies: D,
  build: (given: AllOf<D>) => Effect.Effect<A, E, R>
): Component<A, RequiredOf<D>, OptionalOf<D>, E, R> => bind(describe(label, dependencies, "effect", build))

// ---- values -------------------------------------------------------------------------------------------------

/** An argument of a value function with a default: `value([orElse("steps", 0)], (steps: number) => …)`. */
export interface OrElse<out N extends string, out T> {
  readonly name: N
  readonly value: T
}
/** An argument with its default, for the names of a value function. */
export const orElse = <const N extends string, T>(name: N, value: T): OrElse<N, T> => Object.freeze({ name, value })

type Names = ReadonlyArray<string | OrElse<string, unknown>>
type NameOf<X> = X extends string ? X : X extends OrElse<infer N, unknown> ? N : never
export type RequiredArgs<N extends Names, A extends ReadonlyArray<unknown>> = {
  readonly [I in keyof N as I extends `${number}` ? (N[I] extends string ? N[I] : never) : never]: I extends keyof A
    ? A[I]
    : unknown
}
export type OptionalArgs<N extends Names, A extends ReadonlyArray<unknown>> = {
  readonly [I in keyof N as I extends `${number}`
    ? N[I] extends string
      ? never
      : NameOf<N[I]>
    : never]: I extends keyof A ? A[I] : unknown
}

const describeValue = (
  names: Names,
  mode: Mode,
  // biome-ignore lint/suspicious/noExplicitAny: the arguments are typed by the caller's signature
  f: (...args: any) => unknown,
  release?: (built: unknown) => void
): Spec => ({
  kind: "value",
  mode,
  label: f.name === "" ? "value" : `value ${f.name}`,
  names: names.map((n) => (typeof n === "string" ? n : n.name)),
  defaults: names.map((n) => (typeof n === "string" ? undefined : { value: n.value })),
  call: (args) => f(...args),
  ...(release && { release })
})

/** A function of other attributes; it may return a plain value, a component (then wired) or a link (then followed). */
export const value = <const N extends Names, A extends { [I in keyof N]: unknown }, const Ret>(
  names: N,
  f: (...args: A) => Ret
): Value<Ret, RequiredArgs<N, A>, OptionalArgs<N, A>> => bind(describeValue(names, "sync", f))

/** Like `value`, for something that must be released. */
export const valueScoped = <const N extends Names, A extends { [I in keyof N]: unknown }, const Ret>(
  names: N,
  f: (...args: A) => Ret,
  release: (built: Ret) => void
): Value<Ret, RequiredArgs<N, A>, OptionalArgs<N, A>, never, Scope.Scope> =>
  bind(describeValue(names, "scoped", f, release as (built: unknown) => void))

/** Like `value`, computed by an Effect. */
export const valueEffect = <const N extends Names, A extends { [I in keyof N]: unknown }, Ret, E, R>(
  names: N,
  f: (...args: A) => Effect.Effect<Ret, E, R>
): Value<Ret, RequiredArgs<N, A>, OptionalArgs<N, A>, E, R> => bind(describeValue(names, "effect", f))

// ---- links, branches, raw values ----------------------------------------------------------------------------

const nothing = (): undefined => undefined

/** Another attribute: `link("a")`, of a nested injector `link("nested", "a")`, a field of what it becomes `link("a", "field")`. */
export const link = <const Path extends readonly [string, ...ReadonlyArray<string | number>]>(
  ...path: Path
): Link<Path> => {
  const head = path[0]
  const inside = path.length === 1 && head !== undefined && head !== "^"
  return bind({
    kind: "link",
    mode: "sync",
    label: `link ${path.join(".")}`,
    names: inside ? [head] : [],
    defaults: inside ? [undefined] : [],
    call: nothing,
    path
  })
}

/** An attribute of the enclosing injector: `parent("a")`; `parent("^", "a")` goes two levels up. */
export const parent = <const Path extends readonly [string, ...ReadonlyArray<string | number>]>(
  ...path: Path
): Link<readonly ["^", ...Path]> => link("^", ...path)

/** The case that the attribute `on` names: `choose("isClamped", { true: ClampedBinaryQuant, false: BinaryQuant })`. */
export const choose = <const On extends string, const Cases extends Readonly<Record<string, unknown>>>(
  on: On,
  cases: Cases
): Choose<On, Cases> =>
  bind({
    kind: "choose",
    mode: "sync",
    label: `choose ${on}`,
    names: [on],
    defaults: [undefined],
    call: (args) => args[0],
    cases
  })

/** A component, a link or an injector handed out as a value, not wired. */
export const raw = <A>(a: A): Raw<A> => bind(constantSpec(a))

/** The description of a plain value. */
export const constantSpec = (a: unknown): Spec => ({
  kind: "constant",
  mode: "sync",
  label: "value",
  names: [],
  defaults: [],
  call: () => a,
  value: a
})

export type { Given }

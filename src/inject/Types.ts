/**
 * The types of wiring: what an attribute needs, what it becomes, and what is wrong with it.
 *
 * `P` is the record of an injector's attributes as they were declared: a plain value type, a `Component`, a `Value`, a `Link`,
 * a nested injector. Making, overriding and merging compute nothing; only `resolve` follows the names.
 *
 * Three things keep the compiler quick, each measured as decisive: `P` appears only in a phantom (variance is never unfolded);
 * inference into the recursive types is blocked (`Check` ends in `infer`, results go through `Lazy`); and every alias that a
 * signature shows begins with a condition on the name, so that nothing unfolds while it is still generic.
 *
 * Room: inject (level 1). Imports: the errors of `tensor`.
 */
import type { MissingDependency } from "../tensor/WiringErrors.ts"

// `any` stands here for "every type argument": these are patterns to match against, not holes in values.
// biome-ignore-start lint/suspicious/noExplicitAny: patterns of conditional types

export declare const Phantom: unique symbol

/** What a binding carries at the type level. */
export interface Parts<out Kind, out Ret, out Req, out Opt, out E, out R> {
  readonly kind: Kind
  readonly ret: Ret
  readonly req: Req
  readonly opt: Opt
  readonly e: E
  readonly r: R
}
type AnyParts = Parts<any, any, any, any, any, any>

/** An attribute that is not a plain value. */
export interface Binding<out Kind, out Ret, out Req, out Opt, out E, out R> {
  readonly [Phantom]: Parts<Kind, Ret, Req, Opt, E, R>
}
type AnyBinding = Binding<any, any, any, any, any, any>

/** Builds an `A` from attributes looked up by name: `Req` must be there, `Opt` have defaults. */
export interface Component<out A, out Req = {}, out Opt = {}, out E = never, out R = never>
  extends Binding<"component", A, Req, Opt, E, R> {}

/** A component that can also be called by hand, with its dependencies as a record. */
export interface Constructor<out A, Req = {}, Opt = {}, out R = never> extends Component<A, Req, Opt, never, R> {
  (given: Given<Req, Opt>): A
}
export type Given<Req, Opt> = { readonly [K in keyof Req]: Req[K] } & { readonly [K in keyof Opt]?: Opt[K] }

/** A function of other attributes, run at resolution; what it returns may be a component or a link, which is then followed. */
export interface Value<out Ret, out Req = {}, out Opt = {}, out E = never, out R = never>
  extends Binding<"value", Ret, Req, Opt, E, R> {}

/** Another attribute: `["a"]`, of a nested injector `["nested", "a"]`, one level up `["^", "a"]`, a field `["a", "field", 0]`. */
export interface Link<out Path extends LinkPath> extends Binding<"link", Path, {}, {}, never, never> {}
export type LinkPath = ReadonlyArray<string | number>

/** A branch that another attribute selects; a literal type there selects it for the compiler too, a wrong one is refused. */
export interface Choose<On extends string, in out Cases>
  extends Binding<"choose", Cases, { readonly [K in On]: CaseOf<keyof Cases> }, {}, never, never> {}
/** What may select the case `C`. */
type CaseOf<C> = C extends "true"
  ? true
  : C extends "false"
    ? false
    : C extends string
      ? string extends C
        ? any
        : C
      : C

/** A component, a link or an injector handed out as it is. */
export interface Raw<out A> extends Binding<"raw", A, {}, {}, never, never> {}

export declare const InjectorPhantom: unique symbol

/** Invariant in `P`: merging is right-biased, so forgetting attributes would be unsound. */
export interface InjectorOf<in out P> {
  readonly [InjectorPhantom]: (_: P) => P
}

/** Right-biased union of two records. A mapped type outright, so that declarations show `Merge<…>` and nothing unfolds early. */
export type Merge<A, B> = {
  readonly [K in keyof A | keyof B]: K extends keyof B ? B[K] : K extends keyof A ? A[K] : never
}

/** `P = any` and attributes of type `any` must never be unfolded: it does not end. */
type IsAny<T> = 0 extends 1 & T ? true : false

// ---- the names that one attribute needs ---------------------------------------------------------------------
// May = false: certainly needed. May = true: also what a value function may return or an open branch may pick.

type NamesOf<P, B, May> =
  IsAny<B> extends true ? never : B extends AnyBinding ? NamesOfParts<P, B[typeof Phantom], May> : never
type NamesOfParts<P, X extends AnyParts, May> =
  | (keyof X["req"] & string)
  | (keyof X["opt"] & keyof P & string)
  | (X["kind"] extends "link"
      ? Join<X["ret"]>
      : X["kind"] extends "value"
        ? NamesOfReturned<P, X["ret"], May>
        : X["kind"] extends "choose"
          ? NamesOfReturned<P, Chosen<X["ret"], Resolved<P, keyof X["req"]>>, May>
          : never)
type NamesOfReturned<P, B, May> = May extends true ? NamesOf<P, B, true> : InAll<P, B, NamesOf<P, B, false>>
/** The names among `N` that every member of the union `B` needs: certain, although the branch is not known. */
type InAll<P, B, N> = N extends unknown ? ([Without<P, B, N>] extends [never] ? N : never) : never
type Without<P, B, N> = B extends unknown ? (N extends NamesOf<P, B, false> ? never : true) : never

type Join<Path> = Path extends readonly [infer H extends string | number]
  ? `${H}`
  : Path extends readonly [infer H extends string | number, ...infer T]
    ? `${H}.${Join<T>}`
    : never
type Chosen<Cases, Flag> =
  Key<Flag> extends infer C ? (C extends keyof Cases ? Cases[C] : string extends C ? Cases[keyof Cases] : never) : never
type Key<Flag> = Flag extends true
  ? "true"
  : Flag extends false
    ? "false"
    : Flag extends string | number
      ? `${Flag}`
      : never

// ---- closures: all names that a name leads to ---------------------------------------------------------------
// "mse.statsImpl" belongs to the injector nested under "mse"; "^.a" goes one level up; "a.field" is a field of what "a" becomes.

type Step<P, T, May> = T extends keyof P
  ? NamesOf<P, P[T], May>
  : T extends `${infer H}.${infer Rest}`
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? Qualify<H, Step<P2, Rest, May>>
        : NamesOf<P, P[H], May>
      : never
    : never
type Qualify<H extends string, N> = N extends `^.${infer Up}` ? Up : N extends string ? `${H}.${N}` : never
type Closure<P, Todo, May, Seen = never> = [Todo] extends [never]
  ? Seen
  : Closure<P, Exclude<Step<P, Todo, May>, Seen | Todo>, May, Seen | Todo>
type Has<P, N> = N extends keyof P
  ? true
  : N extends `${infer H}.${infer Rest}`
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? Has<P2, Rest>
        : true
      : false
    : false
type Lacking<P, C> = C extends keyof P ? never : C extends string ? (Has<P, C> extends true ? never : C) : never

/** The names that are absent: certainly needed ones (`May = false`), or also possibly needed ones. */
export type Missing<P, K, May> =
  IsAny<P> extends true ? never : K extends string ? Lacking<P, Closure<P, K, May>> : never

// ---- what an attribute becomes ------------------------------------------------------------------------------

/** The type that attribute `N` resolves to. */
export type Resolved<P, N> = IsAny<P> extends true ? any : N extends keyof P ? ResolvedRaw<P, P[N]> : never
type ResolvedRaw<P, B> = IsAny<B> extends true ? any : B extends AnyBinding ? ResolvedParts<P, B[typeof Phantom]> : B
type ResolvedParts<P, X extends AnyParts> = X["kind"] extends "value"
  ? ResolvedRaw<P, X["ret"]>
  : X["kind"] extends "link"
    ? ResolvedPath<P, X["ret"]>
    : X["kind"] extends "choose"
      ? ResolvedRaw<P, Chosen<X["ret"], Resolved<P, keyof X["req"]>>>
      : X["ret"]
type ResolvedPath<P, Path> = Path extends readonly [infer H extends string]
  ? Resolved<P, H>
  : Path extends readonly [infer H extends string, ...infer T]
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? ResolvedPath<P2, T>
        : Field<Resolved<P, H>, T>
      : any
    : never
type Field<A, Path> = Path extends readonly [infer H, ...infer T] ? (H extends keyof A ? Field<A[H], T> : any) : A

// ---- what is wrong ------------------------------------------------------------------------------------------

/** Shown in compiler errors: the attribute `Name` is not provided, and who needs it. */
export interface MissingAttribute<Name extends string, NeededBy> {
  readonly missing: (_: Name, by: NeededBy) => void
}
/** Shown in compiler errors: the attribute `Name` has the wrong type for `NeededBy`. */
export interface WrongType<Name, NeededBy, Provided, Expected> {
  readonly wrongType: (_: Name, by: NeededBy, provided: Provided, expected: Expected) => void
}
/** Shown in compiler errors: no part of the injector looks at the attribute `Name`; `merge` adds attributes for later parts. */
export interface UnusedAttribute<Name> {
  readonly unused: (_: Name, hint: "is it misspelt? no part of the injector looks at it") => void
}

type Askers<P, All, N> = All extends unknown ? (N extends Step<P, All, true> ? `by ${All & string}` : never) : never
type MissingIn<P, C, All> = C extends keyof P
  ? never
  : C extends string
    ? Has<P, C> extends true
      ? never
      : MissingAttribute<C, Askers<P, All, C>>
    : never
type Wrong<P, By, Deps> = {
  [N in keyof Deps & keyof P]: [Resolved<P, N>] extends [Deps[N]]
    ? never
    : WrongType<N, `by ${By & string}`, Resolved<P, N>, Deps[N]>
}[keyof Deps & keyof P]
type WrongOf<P, By, B> =
  IsAny<B> extends true ? never : B extends AnyBinding ? WrongParts<P, By, B[typeof Phantom]> : never
type WrongParts<P, By, X extends AnyParts> =
  | Wrong<P, By, X["req"]>
  | Wrong<P, By, X["opt"]>
  | (X["kind"] extends "value"
      ? WrongOf<P, By, X["ret"]>
      : X["kind"] extends "choose"
        ? WrongOf<P, By, Chosen<X["ret"], Resolved<P, keyof X["req"]>>>
        : never)
type WrongIn<P, C> = C extends keyof P ? WrongOf<P, C, P[C]> : never

type Problems<P, K> =
  IsAny<P> extends true ? never : K extends string ? ProblemsIn<P, Closure<P, K, false>, Closure<P, K, true>> : never
type ProblemsIn<P, Sure, May> = MissingIn<P, Sure, Sure> | WrongIn<P, May>

/** `unknown` when `K` can be resolved, else the intersection of all problems; used as `name: K & Check<P, K>`. */
export type Check<P, K> = Intersected<Problems<P, K>>
type Intersected<T> = [T extends unknown ? (x: T) => void : never] extends [(x: infer I) => void] ? I : never

/** Blocks inference into `T`, yet leaves nothing behind once `T` is known (`NoInfer` would stay, and break `catchTag`). */
export type Lazy<T> = [T] extends [infer U] ? U : never

// ---- names that nothing looks at ----------------------------------------------------------------------------

type LooksAt<B> =
  IsAny<B> extends true ? string : B extends AnyBinding ? LooksAtParts<B[typeof Phantom]> : LooksAtNested<B>
type LooksAtParts<X extends AnyParts> =
  | (keyof X["req"] & string)
  | (keyof X["opt"] & string)
  | (X["kind"] extends "link"
      ? Head<X["ret"]>
      : X["kind"] extends "value"
        ? LooksAt<X["ret"]>
        : X["kind"] extends "choose"
          ? LooksAt<X["ret"][keyof X["ret"]]>
          : never)
type LooksAtNested<B> = B extends InjectorOf<infer P2> ? UpFrom<LooksAtAny<P2>> : never
type UpFrom<N> = N extends `^.${infer Up}` ? Up : never
type Head<Path> = Path extends readonly [infer H extends string, ...infer T]
  ? H extends "^"
    ? T extends readonly [infer N extends string, ...Array<any>]
      ? N extends "^"
        ? string
        : `^.${N}`
      : never
    : H
  : never
type LooksAtAny<P> = IsAny<P> extends true ? string : { [K in keyof P]: LooksAt<P[K]> }[keyof P]
type Unused<P, B> = {
  [K in keyof B]: K extends keyof P ? never : K extends LooksAtAny<P> | LooksAtAny<B> ? never : UnusedAttribute<K>
}[keyof B]
/** `unknown` when each name of `B` is one that the injector has or looks at. */
export type CheckLet<P, B> = IsAny<P> extends true ? unknown : Intersected<Unused<P, B>>

// ---- error and environment of a resolution ------------------------------------------------------------------

type PartOf<B, W extends "e" | "r"> =
  IsAny<B> extends true ? never : B extends AnyBinding ? PartOfParts<B[typeof Phantom], W> : never
type PartOfParts<X extends AnyParts, W extends "e" | "r"> =
  | X[W]
  | (X["kind"] extends "value"
      ? PartOf<X["ret"], W>
      : X["kind"] extends "choose"
        ? PartOf<X["ret"][keyof X["ret"]], W>
        : never)
type PartIn<P, C, W extends "e" | "r"> = C extends keyof P
  ? PartOf<P[C], W>
  : C extends `${infer H}.${infer Rest}`
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? PartIn<P2, Rest, W>
        : PartOf<P[H], W>
      : never
    : never
/** What the constructors behind `K` can fail with. */
export type ErrorOf<P, K> =
  IsAny<P> extends true ? unknown : K extends string ? PartIn<P, Closure<P, K, true>, "e"> : never
/** The services that the constructors behind `K` need. */
export type EnvOf<P, K> = IsAny<P> extends true ? any : K extends string ? PartIn<P, Closure<P, K, true>, "r"> : never
/** `MissingDependency` of each absent name: where `Check` holds, only an open branch can need one. */
export type MaybeMissing<P, K> =
  IsAny<P> extends true ? never : K extends string ? AbsentIn<P, Closure<P, K, true>> : never
/** `MissingDependency` of each name that may be needed after a recipe was given those that certainly are. */
export type StillMissing<P, K> =
  IsAny<P> extends true
    ? never
    : K extends string
      ? AbsentIn<P, Exclude<Missing<P, K, true>, Missing<P, K, false>>>
      : never
type AbsentIn<P, C> = C extends keyof P
  ? never
  : C extends `${infer H}.${infer Rest}`
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? AbsentIn<P2, Rest>
        : never
      : MissingDependency<C>
    : C extends string
      ? MissingDependency<C>
      : never

// ---- what a recipe must be given ----------------------------------------------------------------------------

type DemandBy<B, N> = IsAny<B> extends true ? never : B extends AnyBinding ? DemandByParts<B[typeof Phantom], N> : never
type DemandByParts<X extends AnyParts, N> =
  | (N extends keyof X["req"] ? (x: X["req"][N]) => void : never)
  | (N extends keyof X["opt"] ? (x: X["opt"][N]) => void : never)
  | (X["kind"] extends "value"
      ? DemandBy<X["ret"], N>
      : X["kind"] extends "choose"
        ? DemandBy<X["ret"][keyof X["ret"]], N>
        : never)
type DemandIn<P, C, N> = C extends keyof P ? DemandBy<P[C], N> : never
type Demanded<F> = [F] extends [never] ? unknown : [F] extends [(x: infer I) => void] ? I : never
type NeedsIn<P, All, Sure, Maybe> = { readonly [N in Sure & string]: Demanded<DemandIn<P, All, N>> } & {
  readonly [N in Maybe & string]?: Demanded<DemandIn<P, All, N>>
}
/** The absent names behind `K` with the types that their users expect: the argument of a recipe. */
export type Needs<P, K> =
  IsAny<P> extends true
    ? Readonly<Record<string, unknown>>
    : K extends string
      ? NeedsIn<P, Closure<P, K, true>, Missing<P, K, false>, Exclude<Missing<P, K, true>, Missing<P, K, false>>>
      : never
// biome-ignore-end lint/suspicious/noExplicitAny: patterns of conditional types

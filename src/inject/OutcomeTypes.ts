/**
 * The types of what a resolution can fail with and needs: the errors and services of constructors, and what is absent.
 *
 * Room: inject (level 1). Imports: `./BindingTypes.ts`, `./NameTypes.ts`, the errors of `tensor`.
 */
import type { MissingDependency } from "../tensor/WiringErrors.ts"
import type { AnyBinding, AnyParts, InjectorOf, IsAny, Phantom } from "./BindingTypes.ts"
import type { Closure, Missing } from "./NameTypes.ts"

// `any` stands here for "every type argument": these are patterns to match against, not holes in values.
// biome-ignore-start lint/suspicious/noExplicitAny: patterns of conditional types

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

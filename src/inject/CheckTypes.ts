/**
 * The types of what is wrong with a declaration, as the compiler shows it.
 *
 * Room: inject (level 1). Imports: `./BindingTypes.ts`, `./NameTypes.ts`, `./ResolvedTypes.ts`.
 */
import type { AnyBinding, AnyParts, InjectorOf, IsAny, Phantom } from "./BindingTypes.ts"
import type { Closure, Has, Step } from "./NameTypes.ts"
import type { Chosen, Resolved } from "./ResolvedTypes.ts"

// `any` stands here for "every type argument": these are patterns to match against, not holes in values.
// biome-ignore-start lint/suspicious/noExplicitAny: patterns of conditional types

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
// biome-ignore-end lint/suspicious/noExplicitAny: patterns of conditional types

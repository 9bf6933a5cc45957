/**
 * The types of what attributes become.
 *
 * Room: inject (level 1). Imports: `./BindingTypes.ts`.
 */
import type { AnyBinding, AnyParts, InjectorOf, IsAny, Phantom } from "./BindingTypes.ts"

// `any` stands here for "every type argument": these are patterns to match against, not holes in values.
// biome-ignore-start lint/suspicious/noExplicitAny: patterns of conditional types

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

/** What a branch may become, by the type of its flag. */
export type Chosen<Cases, Flag> =
  Key<Flag> extends infer C ? (C extends keyof Cases ? Cases[C] : string extends C ? Cases[keyof Cases] : never) : never
type Key<Flag> = Flag extends true
  ? "true"
  : Flag extends false
    ? "false"
    : Flag extends string | number
      ? `${Flag}`
      : never
// biome-ignore-end lint/suspicious/noExplicitAny: patterns of conditional types

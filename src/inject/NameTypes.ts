/**
 * The types of the names that attributes look at, and of those that are absent.
 *
 * Room: inject (level 1). Imports: `./BindingTypes.ts`, `./ResolvedTypes.ts`.
 */
import type { AnyBinding, AnyParts, InjectorOf, IsAny, Phantom } from "./BindingTypes.ts"
import type { Chosen, Resolved } from "./ResolvedTypes.ts"

// ---- of one attribute ----------------------------------------------------------------------------------------
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

// ---- closures: all names that a name leads to ---------------------------------------------------------------
// "mse.statsImpl" belongs to the injector nested under "mse"; "^.a" goes one level up; "a.field" is a field of what "a" becomes.

export type Step<P, T, May> = T extends keyof P
  ? NamesOf<P, P[T], May>
  : T extends `${infer H}.${infer Rest}`
    ? H extends keyof P
      ? P[H] extends InjectorOf<infer P2>
        ? Qualify<H, Step<P2, Rest, May>>
        : NamesOf<P, P[H], May>
      : never
    : never
type Qualify<H extends string, N> = N extends `^.${infer Up}` ? Up : N extends string ? `${H}.${N}` : never
export type Closure<P, Todo, May, Seen = never> = [Todo] extends [never]
  ? Seen
  : Closure<P, Exclude<Step<P, Todo, May>, Seen | Todo>, May, Seen | Todo>
export type Has<P, N> = N extends keyof P
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

/**
 * The types of what is declared: attributes, and the record of them that an injector is to the compiler.
 *
 * `P` is the record of an injector's attributes as they were declared: a plain value type, a `Component`, a `Value`, a `Link`,
 * a nested injector. Making, overriding and merging compute nothing; only `resolve` follows the names.
 *
 * Three things keep the compiler quick, each measured as decisive: `P` appears only in a phantom (variance is never unfolded);
 * inference into the recursive types is blocked (`Check` ends in `infer`, results go through `Lazy`); and every alias that a
 * signature shows begins with a condition on the name, so that nothing unfolds while it is still generic.
 *
 * Room: inject (level 1). Imports: nothing.
 */

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
export type AnyParts = Parts<any, any, any, any, any, any>

/** An attribute that is not a plain value. */
export interface Binding<out Kind, out Ret, out Req, out Opt, out E, out R> {
  readonly [Phantom]: Parts<Kind, Ret, Req, Opt, E, R>
}
export type AnyBinding = Binding<any, any, any, any, any, any>

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
export type IsAny<T> = 0 extends 1 & T ? true : false
// biome-ignore-end lint/suspicious/noExplicitAny: patterns of conditional types

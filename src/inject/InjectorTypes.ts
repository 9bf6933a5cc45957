/**
 * What an injector is: the layers that it was declared in, and for the compiler the record of its attributes.
 *
 * Room: inject (level 1). Imports: types of effect, `./BindingTypes.ts`, `./Plan.ts`.
 */
import type { Equal, Inspectable, Pipeable } from "effect"
import type { InjectorOf } from "./BindingTypes.ts"
import type { Source } from "./Plan.ts"

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
/** Attributes of unknown content, by name. */
export type Attributes = Readonly<Record<string, unknown>>

/**
 * The attributes of an injector: `interface Mine extends AttributesOf<typeof mine> {}` names them, so that declarations of what is
 * merged from it stay short.
 */
export type AttributesOf<I> = I extends InjectorOf<infer P> ? P : never

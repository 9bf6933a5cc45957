/**
 * How a layer is told to quantize one of its tensors: a declaration with overrides, a proxy to share, or nothing.
 *
 * Room: nn (level 4). Imports: effect, `inject`, `core`, `proxy`, `tensor`.
 */
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import type { TensorQuantizer } from "../core/TensorQuantizer.ts"
import * as Injector from "../inject/Injector.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"

/** Overrides of attributes, for this layer alone. */
export type Overrides = Injector.Attributes

/** What a layer adds to a declaration: itself, and what its slot expects. */
type WithLayer<P, W> = Injector.Merge<
  Injector.Merge<P, W>,
  {
    readonly module: Module
    readonly slot: Injector.Component<
      unknown,
      { readonly tensorQuant: TensorQuantizer | undefined; readonly signed: boolean | undefined }
    >
  }
>

/** A declaration that, with the overrides `W` and a layer, has all that a proxy asks for. */
export type Declaration<P, W> = Injector.Injector<P> &
  Injector.Check<WithLayer<P, W>, "slot"> &
  Injector.CheckLet<WithLayer<P, {}>, W>

/** A declaration, the proxy of another layer (which is then shared), or `null` for none. */
export type Quant<P, W> = Declaration<P, W> | QuantProxy.QuantProxy | null

/** What is handed on beside the layer where the input has a format. */
type WithFormat<P, W> = Injector.Merge<WithLayer<P, W>, { readonly signed: boolean | undefined }>

/** A declaration for the integers of a quantized input, whose sign it need not know itself; or a proxy to share, or none. */
export type OfIntegers<P, W> =
  | (Injector.Injector<P> & Injector.Check<WithFormat<P, W>, "slot"> & Injector.CheckLet<WithFormat<P, {}>, W>)
  | QuantProxy.QuantProxy
  | null

/** The same without its types, behind the functions that have checked them. */
export type Erased = Injector.Any | QuantProxy.QuantProxy | null

/** Makes or joins the proxy of a slot; `fallback` serves when the option is absent. */
export const proxyFor = (
  slot: QuantProxy.Slot,
  quant: Erased | undefined,
  overrides: Overrides | undefined,
  fallback: Injector.Any | null,
  module: QuantProxy.TrackedModule
): Effect.Effect<QuantProxy.QuantProxy | undefined, ResolutionError, Scope.Scope> => {
  const chosen = quant === undefined ? fallback : quant
  if (chosen === null) return Effect.succeed(undefined)
  return QuantProxy.isQuantProxy(chosen)
    ? Effect.as(QuantProxy.addModule(chosen, module), chosen)
    : QuantProxy.make(slot, overrides === undefined ? chosen : Injector.let(chosen, overrides), module)
}

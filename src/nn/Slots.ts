/**
 * The quantizers of a layer that has many of them: what it takes for each slot, and the proxies made of that.
 *
 * Room: nn (level 4). Imports: effect, `inject`, `proxy`, `tensor`, `./Layer.ts`, `./Slot.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type * as Injector from "../inject/Injector.ts"
import type * as QuantProxy from "../proxy/QuantProxy.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"

// ---- what a layer takes -------------------------------------------------------------------------------------

/** For every name `n` a quantizer `nQuant` (a declaration, a proxy to share, `null` for none) and overrides `n` for this layer. */
export type Given<Name extends string> = {
  readonly [N in Name as `${N}Quant`]?: Slot.Erased
} & { readonly [N in Name]?: Slot.Overrides }

type OverridesOf<O, N> = N extends keyof O ? (O[N] extends Slot.Overrides ? O[N] : {}) : {}

type CheckedQuant<Q, W> = [Q] extends [Injector.Injector<infer P>] ? Slot.Declaration<P, W> : Q

/** What is wrong with the quantizers and overrides among these options; options that nobody knows are refused. */
export type Checked<O, Name extends string, Plain extends PropertyKey> = {
  readonly [N in Name as `${N}Quant` extends keyof O ? `${N}Quant` : never]: CheckedQuant<
    O[`${N}Quant` & keyof O],
    OverridesOf<O, N>
  >
} & { readonly [K in Exclude<keyof O, Plain | Name | `${Name}Quant`>]: never }

// ---- proxies ------------------------------------------------------------------------------------------------

/** A module without a weight, for quantizers of what runs through. */
export const bareModule = (kind: string): Effect.Effect<QuantProxy.TrackedModule, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => tf.scalar(0)),
      (zero) => Effect.sync(() => zero.dispose())
    ),
    (weight) => () => ({ kind, weight, outChannels: 0, outputChannelAxis: 0 })
  )

/** Makes or joins the proxy of one of these slots. */
export const proxyFor = <Name extends string>(
  options: Given<Name>,
  name: Name,
  slot: QuantProxy.Slot,
  fallback: Injector.Any | null,
  module: QuantProxy.TrackedModule
): Effect.Effect<QuantProxy.QuantProxy | undefined, ResolutionError, Scope.Scope> => {
  const given = options as Readonly<Record<string, unknown>>
  const quant = given[`${name}Quant`] as Slot.Erased | undefined
  return Slot.proxyFor(slot, quant, given[name] as Slot.Overrides | undefined, fallback, module)
}

/** Proxies by name, those that there are. */
export type Named = ReadonlyArray<readonly [name: string, proxy: QuantProxy.QuantProxy]>

export const named = (proxies: Readonly<Record<string, QuantProxy.QuantProxy | undefined>>, prefix = ""): Named =>
  Object.entries(proxies).flatMap(([name, proxy]) => (proxy === undefined ? [] : [[prefix + name, proxy] as const]))

/** Their cells under the same names. */
export const cellsOf = (proxies: Named): Layer.Stateful["cells"] => proxies.map(([name, { cell }]) => [name, cell])

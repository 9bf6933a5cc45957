/**
 * Quantizers in slots that have none: a layer knows all of its slots, and how it is with quantizers in them.
 *
 * Room: nn (level 4). Imports: effect, `inject`, `proxy`, `./Fork.ts`, `./Layer.ts`, `./Model.ts`. Laws: test/nn/Slotted.test.ts.
 */
import { Effect, type Scope } from "effect"
import type * as Injector from "../inject/Injector.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import type { ResolutionError } from "../tensor/Errors.ts"
import * as Fork from "./Fork.ts"
import type * as Layer from "./Layer.ts"
import * as Model from "./Model.ts"

type Proxies = Readonly<Record<string, QuantProxy.QuantProxy | undefined>>

/** The slots of a layer, for the layer itself and for its forks. */
export interface Slots {
  /** by the names of the quantizers: `weightQuant` */
  readonly slots: Readonly<Record<string, QuantProxy.Slot>>
  /** what quantizers are told of a layer */
  readonly moduleOf: (layer: Layer.Layer) => Effect.Effect<QuantProxy.TrackedModule, never, Scope.Scope>
  /** a layer with these quantizers and no others, over its own cell */
  readonly over: (layer: Layer.Layer, proxies: Proxies) => Layer.Layer
}

/** A layer that can have quantizers where it has none. */
export interface Slotted extends Layer.Layer {
  readonly slotted: Slots
}

const isSlotted = (layer: Layer.Stateful): layer is Slotted => "slotted" in layer

const joined = (outer: string, inner: string): string => (outer === "" ? inner : `${outer}.${inner}`)

/** The names of the slots of one layer that have no quantizer. */
const emptyOf = (layer: Slotted): ReadonlyArray<string> => {
  const taken = layer.proxies.map(([name]) => name)
  return Object.keys(layer.slotted.slots).filter((name) => !taken.includes(name))
}

/** The names that quantizers would have in a model where there are none; recurrent and attention layers have no such names. */
export const empty = (model: Layer.Stateful, path = ""): ReadonlyArray<string> =>
  isSlotted(model)
    ? emptyOf(model).map((name) => joined(path, name))
    : Model.isComposed(model)
      ? Object.entries(model.layers).flatMap(([name, layer]) => empty(layer, joined(path, name)))
      : []

/** One layer of a fork with quantizers in its empty slots. */
const filledOne = (
  layer: Slotted,
  quantizers: ReadonlyArray<readonly [name: string, injector: Injector.Any]>
): Effect.Effect<Layer.Layer, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const { slots, moduleOf, over } = layer.slotted
    const module = yield* moduleOf(layer)
    const proxies: Record<string, QuantProxy.QuantProxy | undefined> = Object.fromEntries(layer.proxies)
    for (const [name, injector] of quantizers)
      proxies[name] = yield* QuantProxy.make(slots[name] as QuantProxy.Slot, injector, module)
    return over(layer, Object.fromEntries(Object.keys(slots).map((name) => [name, proxies[name]])))
  })

/**
 * A fork with quantizers in slots that have none: they are asked for by the names that they will have. A layer that stands in several
 * places is asked for under each of its names until there is an answer.
 *
 * ```ts
 * Slotted.filled(float, (name) => (name.endsWith("weightQuant") ? ScaledInt.Int8WeightPerTensorFloat : undefined))
 * ```
 *
 * - formula:  the model's, with the quantizers that `quantizers` answers
 * - shapes:   as the model's
 * - gradient: as the model's
 * - errors:   those of a resolution; the model is never changed
 * - source:   none
 *
 * @category forks
 * @since 0.5.0
 */
export const filled = <M extends Layer.Stateful>(
  model: M,
  quantizers: (name: string) => Injector.Any | undefined
): Effect.Effect<M, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const wanted = new Map<Slotted, Map<string, Injector.Any>>()
    const places = (layer: Layer.Stateful, path: string): void => {
      if (isSlotted(layer))
        for (const name of emptyOf(layer)) {
          const known = wanted.get(layer) ?? new Map<string, Injector.Any>()
          const injector = known.has(name) ? undefined : quantizers(joined(path, name))
          if (injector !== undefined) wanted.set(layer, known.set(name, injector))
        }
      else if (Model.isComposed(layer))
        for (const [name, inner] of Object.entries(layer.layers)) places(inner, joined(path, name))
    }
    const fork = yield* Fork.make(model)
    places(fork, "")
    const done = new Map<Layer.Stateful, Layer.Stateful>()
    for (const [layer, named] of wanted) done.set(layer, yield* filledOne(layer, [...named]))
    const each = (layer: Layer.Stateful): Layer.Stateful =>
      done.get(layer) ??
      (Model.isComposed(layer)
        ? layer.over(Object.fromEntries(Object.entries(layer.layers).map(([name, one]) => [name, each(one)])))
        : layer)
    return each(fork) as M
  })

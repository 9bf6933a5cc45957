/**
 * What layers without a weight share: quantizers by name, and the format of what they answer.
 *
 * Room: nn (level 4). Imports: effect, `core`, `inject`, `proxy`, `tensor`, `./Layer.ts`, `./Mode.ts`, `./Slots.ts`, `./Slotted.ts`,
 * `./Thread.ts`.
 */
import { Effect, Result, type Scope } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { External } from "../core/TensorQuantizer.ts"
import type * as Injector from "../inject/Injector.ts"
import type * as QuantProxy from "../proxy/QuantProxy.ts"
import { InvalidOptions, MissingInput, ShapeMismatch } from "../tensor/LayerErrors.ts"
import type { Form } from "./Form.ts"
import * as Layer from "./Layer.ts"
import { skips } from "./Mode.ts"
import * as Slots from "./Slots.ts"
import type * as Slotted from "./Slotted.ts"
import * as Thread from "./Thread.ts"

/** For each quantizer its slot, and the declaration that serves when no other is given. */
export type Fallbacks<Name extends string> = Readonly<
  Record<Name, readonly [slot: QuantProxy.Slot, fallback: Injector.Any | null]>
>

/** One call of a layer. */
export interface Call<Name extends string> {
  readonly mode: Layer.Mode
  /** whether there is a quantizer of that name that does something in this call */
  readonly acts: (name: Name) => boolean
  /** the value through the quantizer of that name, or as it is where none acts */
  readonly quantized: (name: Name, x: Layer.Value, external?: External) => Layer.Value
}

/** A layer with a proxy `nQuant`, or none, for each name `n`. */
export type Weightless<Name extends string, In = Layer.Value> = Layer.Layer<In> & {
  readonly [N in Name as `${N}Quant`]: QuantProxy.QuantProxy | undefined
}

type Proxies = Readonly<Record<string, QuantProxy.QuantProxy | undefined>>

const callOf = <Name extends string>(thread: Thread.Thread, proxies: Proxies): Call<Name> => {
  const acting = (name: Name): QuantProxy.QuantProxy | undefined => {
    const proxy = proxies[`${name}Quant`]
    if (proxy === undefined) return undefined
    const { quantizer, slot } = Layer.stateOf(thread.states, proxy.cell)
    return quantizer === undefined || skips(thread.mode, slot) ? undefined : proxy
  }
  const watched = (name: Name, x: Layer.Value): void => {
    const proxy = proxies[`${name}Quant`]
    if (proxy === undefined || Layer.stateOf(thread.states, proxy.cell).quantizer === undefined) return
    thread.mode.watch?.(proxy, QuantTensor.dequantized(x))
  }
  return {
    mode: thread.mode,
    acts: (name) => acting(name) !== undefined,
    quantized: (name, x, external) => {
      const proxy = acting(name)
      if (proxy === undefined) watched(name, x)
      return Thread.quantized(thread, proxy, x, external)
    }
  }
}

/** Makes a layer from the function of its input and its quantizers; it lives in the surrounding Scope. */
export const make = <const Name extends string, In = Layer.Value>(
  kind: string,
  fallbacks: Fallbacks<Name>,
  options: Slots.Given<NoInfer<Name>> & { readonly returnQuantTensor?: boolean },
  f: (x: In, call: Call<Name>) => Layer.Value,
  form?: Form
): Effect.Effect<Weightless<Name, In>, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const bare = yield* Slots.bareModule(kind)
    const slots = Object.entries(fallbacks) as unknown as ReadonlyArray<readonly [Name, Fallbacks<Name>[Name]]>
    const made = yield* Effect.forEach(slots, ([name, [slot, fallback]]) =>
      Effect.map(Slots.proxyFor(options, name, slot, fallback, bare), (proxy) => [`${name}Quant`, proxy] as const)
    )
    const about = { kind, ...(form !== undefined && { form }) }
    const slotted: Slotted.Slots = {
      slots: Object.fromEntries(slots.map(([name, [slot]]) => [`${name}Quant`, slot])),
      moduleOf: () => Slots.bareModule(kind),
      over: (_, byName) => assembled(byName) as unknown as Layer.Layer
    }
    const assembled = (byName: Proxies): Weightless<Name, In> => {
      const proxies = Slots.named(byName)
      const apply: Layer.Layer<In>["apply"] = (states, x, mode) => {
        const thread = Thread.make(states, mode)
        const y = f(x, callOf(thread, byName))
        if (options.returnQuantTensor !== true) return [QuantTensor.dequantized(y), thread.states]
        if (!QuantTensor.isQuantTensor(y) && !Layer.mayBePlain(mode)) throw plainAnswer(kind)
        return [y, thread.states]
      }
      const cells = Slots.cellsOf(proxies)
      return { ...about, proxies, cells, apply, ...byName, slotted } as unknown as Weightless<Name, In>
    }
    return assembled(Object.fromEntries(made))
  })

// ---- what layers refuse -------------------------------------------------------------------------------------

/** That an answer has no format where one was asked for. */
export const plainAnswer = (kind: string): MissingInput =>
  new MissingInput({ quantizer: `the output of ${kind}, asked for as a quant tensor`, missing: ["scale"] })

/** What a rule answers; what it refuses is thrown, for `Layer.attempt`. */
export const thrown = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw result.failure
  return result.success
}

/** What is wrong with sizes that are no whole numbers above 0. */
export const wrongSizes = (what: string, option: string, sizes: ReadonlyArray<number>): InvalidOptions | undefined =>
  sizes.every((size) => Number.isInteger(size) && size > 0)
    ? undefined
    : new InvalidOptions({ what, option, reason: `must be whole numbers above 0; it is [${sizes.join(", ")}]` })

/** The same for several options by name. */
export const wrongIn = (
  what: string,
  options: Readonly<Record<string, ReadonlyArray<number>>>
): InvalidOptions | undefined =>
  Object.entries(options)
    .map(([option, sizes]) => wrongSizes(what, option, sizes))
    .find((wrong) => wrong !== undefined)

/** Names of so many axes of an image. */
export const imageAxes = (count: number): ReadonlyArray<string> => ["d", "h", "w"].slice(3 - count)

/** Throws a ShapeMismatch where the input of a layer has other axes than these: a number is a size, a name any size. */
export const expectShape = (kind: string, x: Layer.Value, axes: ReadonlyArray<string | number>): void => {
  const shape = QuantTensor.shapeOf(x)
  const rest = axes[0] === "..." ? axes.slice(1) : axes
  const known = shape.slice(shape.length - rest.length)
  const fits =
    (rest.length === axes.length ? shape.length === axes.length : shape.length >= rest.length) &&
    rest.every((size, axis) => typeof size === "string" || size === known[axis])
  if (!fits) throw new ShapeMismatch({ what: `the input of ${kind}`, expected: `[${axes.join(", ")}]`, actual: shape })
}

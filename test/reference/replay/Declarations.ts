/**
 * The quantizers that a case declares, as injectors of breve.
 *
 * Names become camelCase, classes become breve's components, and the words in which a case says what a value function returns
 * become functions. A declaration's proxy class is left out: in breve the slot decides.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as BinaryQuant from "../../../src/core/BinaryQuant.ts"
import * as Brick from "../../../src/core/Brick.ts"
import * as Module from "../../../src/core/Module.ts"
import * as Scaling from "../../../src/core/Scaling.ts"
import * as Injector from "../../../src/inject/Injector.ts"
import * as ScaledInt from "../../../src/quant/ScaledInt.ts"

interface ValueFunction {
  readonly args: ReadonlyArray<string>
  readonly returns: string
}
type Attribute = { readonly value: unknown } | { readonly class: string } | { readonly valueFn: ValueFunction }
type Declarations = Readonly<
  Record<string, { readonly bases: ReadonlyArray<string>; readonly attributes: Readonly<Record<string, Attribute>> }>
>

/** "scaling_impl.value" -> "scalingImpl.value" */
export const camelCase = (name: string): string =>
  name.replace(/(?<=[a-z0-9])_([a-z])/g, (_, letter: string) => letter.toUpperCase())

const named = <A>(kind: string, table: Readonly<Record<string, A>>, name: string): A => {
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (found === undefined) throw new Error(`unknown ${kind} "${name}"`)
  return found
}

/** The ready-made quantizers. */
export const readyMade = (name: string): Injector.Any =>
  named("quantizer", ScaledInt as unknown as Readonly<Record<string, Injector.Any>>, name)

const classes: Readonly<Record<string, unknown>> = {
  BinaryQuant: BinaryQuant.BinaryQuant,
  ClampedBinaryQuant: BinaryQuant.ClampedBinaryQuant,
  ConstScaling: Scaling.ConstScaling,
  ParameterScaling: Scaling.ParameterScaling
}
/** The component of a class of the reference. */
export const component = (name: string): unknown => named("class", classes, name)

// ---- value functions ----------------------------------------------------------------------------------------

type Body = (...args: any) => unknown
type Binding = (names: ReadonlyArray<string>, f: Body) => unknown

const plain: Binding = (names, f) => Injector.value(names, f as never)
const tensor: Binding = (names, f) => Brick.tensor(names, f as never)

const magnitudes = (modules: Module.Modules): tf.Tensor =>
  tf.abs(tf.concat(Module.list(modules).map(({ weight }) => tf.reshape(weight, [-1]))))

const functions: Readonly<Record<string, readonly [Binding, Body]>> = {
  "max(abs(module.weight))": [tensor, (module: Module.Module) => tf.max(magnitudes(module))],
  "mean(abs(concat of all module weights)) when module is a tuple of layers, mean(abs(module.weight)) when it is one layer":
    [tensor, (modules: Module.Modules) => tf.mean(magnitudes(modules))],
  "class ClampedBinaryQuant if is_clamped else class BinaryQuant": [
    plain,
    (isClamped: boolean) => (isClamped ? BinaryQuant.ClampedBinaryQuant : BinaryQuant.BinaryQuant)
  ],
  "link this.per_channel_broadcastable_shape if scaling_per_output_channel else the empty shape": [
    plain,
    (perChannel: boolean) => (perChannel ? Injector.link("perChannelBroadcastableShape") : [])
  ],
  "[out channels, 1, 1, 1]": [
    plain,
    ({ outChannels, outputChannelAxis, weight }: Module.Module) =>
      weight.shape.map((_, axis) => (axis === outputChannelAxis ? outChannels : 1))
  ],
  "max(abs(weight)) per output channel shaped [out,1,1,1], or over the whole tensor": [
    tensor,
    ({ weight, outputChannelAxis }: Module.Module, perChannel: boolean) => {
      const others = weight.shape.map((_, axis) => axis).filter((axis) => axis !== outputChannelAxis)
      return perChannel ? tf.max(tf.abs(weight), others, true) : tf.max(tf.abs(weight))
    }
  ]
}

const bindingOf = (attribute: Attribute): unknown => {
  if ("value" in attribute) return attribute.value
  if ("class" in attribute) return component(attribute.class)
  const [binding, body] = named("value function", functions, attribute.valueFn.returns)
  return binding(attribute.valueFn.args.map(camelCase), body)
}

// ---- injectors ----------------------------------------------------------------------------------------------

/** A declared injector; the first of several bases wins. */
export const declared = (declarations: Declarations, name: string): Injector.Any => {
  const { bases, attributes } = named("injector", declarations, name)
  const inherited = bases
    .filter((base) => base !== "ExtendedInjector")
    .map((base) => declared(declarations, base))
    .reduceRight<Injector.Any>((right, left) => Injector.merge(right, left), Injector.empty as Injector.Any)
  const own = Object.entries(attributes)
    .filter(([attribute]) => attribute !== "proxy_class")
    .map(([attribute, declaration]) => [camelCase(attribute), bindingOf(declaration)])
  return Injector.named(Injector.merge(inherited, Injector.make(Object.fromEntries(own)) as Injector.Any), name)
}

/** The overrides with this prefix; without one, all but `taken`. */
export const overrides = (
  kwargs: Readonly<Record<string, unknown>>,
  prefix: string,
  taken: ReadonlyArray<string> = []
): Injector.Attributes =>
  Object.fromEntries(
    Object.entries(kwargs)
      .filter(([name]) => name.startsWith(prefix) && !taken.includes(name))
      .map(([name, value]) => [camelCase(name.slice(prefix.length)), value])
  )

/**
 * What linear and convolutional layers share: own weight and bias, and the proxies of their four slots.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slot.ts`, `./Slots.ts`,
 * `./Slotted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import type { External } from "../core/TensorQuantizer.ts"
import * as Cell from "../proxy/Cell.ts"
import type { Origins } from "../proxy/Origin.ts"
import type { QuantProxy, TrackedModule } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { InvalidOptions, MissingInput } from "../tensor/LayerErrors.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import type { UnknownSign } from "../tensor/QuantTensorErrors.ts"
import * as Random from "../tensor/Random.ts"
import type { Form } from "./Form.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"
import * as Slots from "./Slots.ts"
import type * as Slotted from "./Slotted.ts"

/** The quantization options of a layer with a weight; without any, weights are quantized to 8 bits per tensor. */
export interface Options<PW, W, PB, B, PI, I, PO, O> {
  readonly weightQuant?: Slot.Quant<PW, W>
  /** overrides for the weight quantizer of this layer, and so on */
  readonly weight?: W
  readonly biasQuant?: Slot.Quant<PB, B>
  readonly bias?: B
  readonly inputQuant?: Slot.Quant<PI, I>
  readonly input?: I
  readonly outputQuant?: Slot.Quant<PO, O>
  readonly output?: O
  readonly returnQuantTensor?: boolean
  /** seeds the initial weight and bias, which are drawn evenly from `-initialBound` to `initialBound`; default: 0 */
  readonly seed?: number
  /** default: `1 / sqrt(inputs of an output)` */
  readonly initialBound?: number
  /** default: true */
  readonly hasBias?: boolean
}
/** The same without their types, behind the functions that have checked them. */
export interface Erased {
  readonly weightQuant?: Slot.Erased
  readonly weight?: Slot.Overrides
  readonly biasQuant?: Slot.Erased
  readonly bias?: Slot.Overrides
  readonly inputQuant?: Slot.Erased
  readonly input?: Slot.Overrides
  readonly outputQuant?: Slot.Erased
  readonly output?: Slot.Overrides
  readonly returnQuantTensor?: boolean
  readonly seed?: number
  readonly initialBound?: number
  readonly hasBias?: boolean
}

/** The quantizers of a layer that there are. */
interface Proxies extends Readonly<Record<`${"weight" | "bias" | "input" | "output"}Quant`, QuantProxy | undefined>> {}

/** A layer with a weight. */
export interface Weighted extends Slotted.Slotted, Proxies {
  readonly own: Cell.Cell
  /** the axis of the weight that is the output channels */
  readonly outputChannelAxis: number
  /** a layer of the same formula with these quantizers and no others, which begins as this one once began */
  readonly remade: (quantizers: Quantizers) => Effect.Effect<Weighted, Layer.BuildError, Scope.Scope>
}

/** The quantizers of a layer; one that is absent is none. */
export type Quantizers = Omit<Erased, "seed" | "initialBound" | "hasBias">

/** What a layer is made of. The channels are those of the weight that it has at a time; at first those of `weightShape`. */
export interface Shape {
  readonly kind: string
  readonly form?: Form
  readonly weightShape: ReadonlyArray<number>
  readonly fanIn: number
  readonly outChannels: number
  readonly outputChannelAxis: number
  /** how many products an output sums, with a weight of this shape */
  readonly products: (weight: ReadonlyArray<number>) => number
  /** the initial weight and bias, if they are not drawn at random */
  readonly initial?: () => { readonly weight: tf.Tensor; readonly bias: tf.Tensor }
  /** where weight and bias stand in a PyTorch state dict, if not where they are expected */
  readonly origins?: Origins
  /** complains about options that cannot be */
  readonly check?: () => InvalidOptions | undefined
  /** the weight with an output channel for each of the layer's, where it has fewer: its scales are read so */
  readonly perOutput?: (weight: Layer.Value) => Layer.Value
  /** the layer's formula on float tensors */
  readonly formula: (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | undefined) => tf.Tensor
}

/** What is wrong with groups that do not divide the channels. */
export const wholeGroups = (
  what: string,
  inChannels: number,
  outChannels: number,
  groups: number
): InvalidOptions | undefined =>
  Number.isInteger(groups) && groups > 0 && inChannels % groups === 0 && outChannels % groups === 0
    ? undefined
    : new InvalidOptions({
        what,
        option: "groups",
        reason: `must divide the ${inChannels} input and ${outChannels} output channels; it is ${groups}`
      })

const misbound = (what: string, bound = 0): InvalidOptions | undefined =>
  bound >= 0 && bound < Number.POSITIVE_INFINITY
    ? undefined
    : new InvalidOptions({ what, option: "initialBound", reason: `must be a finite number from 0 up; it is ${bound}` })

const initial = (shape: Shape, options: Erased): Cell.State => {
  const given = shape.initial?.()
  if (given !== undefined) {
    if (options.hasBias !== false) return { parameters: { ...given }, memory: {} }
    given.bias.dispose()
    return { parameters: { weight: given.weight }, memory: {} }
  }
  const random = Random.make(options.seed ?? 0)
  const bound = options.initialBound ?? 1 / Math.sqrt(shape.fanIn)
  const drawn = (label: string, dims: ReadonlyArray<number>): tf.Tensor =>
    tf.tensor(Random.uniform(Random.split(random, label), tf.util.sizeFromShape([...dims]), -bound, bound), [...dims])
  const weight = drawn("weight", shape.weightShape)
  return {
    parameters: options.hasBias === false ? { weight } : { weight, bias: drawn("bias", [shape.outChannels]) },
    memory: {}
  }
}

/** What the quantizer of a weight may know of the layer's input. */
export const formatOf = (input: Layer.Value): External =>
  QuantTensor.isQuantTensor(input) ? { bitWidth: input.bitWidth, signed: input.signed } : {}

const integral = (x: Layer.Value): x is QuantTensor.QuantTensor =>
  QuantTensor.isQuantTensor(x) && x.float === undefined && x.grouped === undefined

/** What the quantizer of a bias may know of the products that the bias is added to: their scale, if they have one per channel. */
export const productsOf = (input: Layer.Value, weight: Layer.Value, channels: number): External => {
  if (!integral(input) || !integral(weight)) return {}
  const fits = (scale: tf.Tensor): boolean => scale.size === 1 || scale.size === channels
  if (!fits(weight.scale) || input.scale.size !== 1) return { bitWidth: input.bitWidth, signed: input.signed }
  const flat = (scale: tf.Tensor): tf.Tensor => tf.reshape(scale, [-1])
  return { scale: tf.mul(flat(input.scale), flat(weight.scale)), bitWidth: input.bitWidth, signed: input.signed }
}

/** The output as a quant tensor: its integers are the accumulators of an integer device. */
const accumulated = (y: tf.Tensor, about: Parameters<typeof QuantTensor.productsOf>[1]): QuantTensor.QuantTensor => {
  const { input, weight, origin } = about
  const missing = (what: string): never => {
    const quantizer = `the output of ${origin}, asked for as a quant tensor (${what})`
    throw new MissingInput({ quantizer, missing: ["scale"] })
  }
  if (!integral(input)) return missing("the input has no integers: quantize it, or give inputQuant or outputQuant")
  if (!integral(weight)) return missing("the weight has no integers: give weightQuant or outputQuant")
  const answer = QuantTensor.productsOf(y, about)
  return QuantTensor.isQuantTensor(answer)
    ? answer
    : missing("input or weight have zero-points, or scales that vary within a sum: give outputQuant")
}

/** A layer's own parameters. */
interface Own {
  readonly weight: tf.Tensor
  readonly bias?: tf.Tensor
}

/** The options that there are. */
const given = (
  options: { readonly [Name in "seed" | "initialBound" | "hasBias"]?: Erased[Name] | undefined }
): Erased => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

/**
 * Makes a layer with a weight; it lives in the surrounding Scope.
 *
 * - errors: InvalidOptions for options that cannot be; those of a resolution
 */
export const make = (shape: Shape, options: Erased): Effect.Effect<Weighted, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const wrong = shape.check?.() ?? misbound(shape.kind, options.initialBound)
    if (wrong !== undefined) return yield* wrong
    const first = yield* Effect.acquireRelease(
      Effect.sync(() => initial(shape, options)),
      ({ parameters }) => Effect.sync(() => tf.dispose(parameters as tf.TensorContainer))
    )
    const own = yield* LeasedRef.make(Cell.own(first, shape.origins ?? {}))
    const { kind, outputChannelAxis } = shape
    const parts = shape.outChannels / (shape.weightShape[outputChannelAxis] as number)
    const channelsOf = (weight: tf.Tensor): number => (weight.shape[outputChannelAxis] as number) * parts
    const moduleOf =
      (cell: Cell.Cell): TrackedModule =>
      (candidates): Module => {
        const { weight, bias } = (candidates(cell) ?? LeasedRef.current(cell).parameters) as unknown as Own
        return { kind, weight, bias, outChannels: channelsOf(weight), outputChannelAxis }
      }
    const module = moduleOf(own)
    const perOutput = shape.perOutput ?? ((weight: Layer.Value): Layer.Value => weight)
    const slot = Slot.proxyFor
    const weightQuant = yield* slot(
      "weight",
      options.weightQuant,
      options.weight,
      ScaledInt.Int8WeightPerTensorFloat,
      module
    )
    const biasQuant = yield* slot("bias", options.biasQuant, options.bias, null, module)
    const inputQuant = yield* slot("input", options.inputQuant, options.input, null, module)
    const outputQuant = yield* slot("output", options.outputQuant, options.output, null, module)
    const through = (
      proxy: QuantProxy | undefined,
      states: Layer.States,
      x: Layer.Value,
      mode: Layer.Mode,
      external?: External
    ): readonly [Layer.Value, Layer.States] =>
      proxy === undefined ? [x, states] : Layer.quantize(states, proxy, QuantTensor.dequantized(x), mode, external)
    const applied =
      (cell: Cell.Cell, proxies: Proxies): Layer.Layer["apply"] =>
      (states, x, mode) => {
        const { weightQuant, biasQuant, inputQuant, outputQuant } = proxies
        const { weight: plain, bias } = Layer.stateOf(states, cell).parameters as unknown as Own
        const [input, afterInput] = through(inputQuant, states, x, mode)
        const [weight, afterWeight] = through(weightQuant, afterInput, plain, mode, formatOf(input))
        const [offset, afterBias] =
          bias === undefined || biasQuant === undefined
            ? [bias, afterWeight]
            : through(biasQuant, afterWeight, bias, mode, productsOf(input, perOutput(weight), channelsOf(plain)))
        const value = QuantTensor.dequantized
        const y = shape.formula(value(input), value(weight), offset === undefined ? undefined : value(offset))
        const [output, after] = through(outputQuant, afterBias, y, mode)
        if (options.returnQuantTensor !== true) return [value(output), after]
        if (QuantTensor.isQuantTensor(output)) return [output, after]
        if (Layer.mayBePlain(mode) && !(integral(input) && integral(weight))) return [output, after]
        const products = shape.products(plain.shape)
        const about = {
          input,
          weight: perOutput(weight),
          bias: offset,
          products,
          outputAxes: [outputChannelAxis],
          origin: kind
        }
        return [accumulated(y, about), after]
      }
    const { seed, initialBound, hasBias } = options
    const remade: Weighted["remade"] = (quantizers) =>
      make(shape, { weightQuant: null, ...quantizers, ...given({ seed, initialBound, hasBias }) })
    const about = { kind, ...(shape.form && { form: shape.form }), outputChannelAxis, remade }
    const slotted: Slotted.Slots = {
      slots: { weightQuant: "weight", biasQuant: "bias", inputQuant: "input", outputQuant: "output" },
      moduleOf: (layer) => Effect.succeed(moduleOf((layer as Weighted).own)),
      over: (layer, proxies) => assembled((layer as Weighted).own, proxies as Proxies)
    }
    const assembled = (cell: Cell.Cell, named: Proxies): Weighted => {
      const proxies = Slots.named(named)
      const cells = [["", cell] as const, ...Slots.cellsOf(proxies)]
      return { ...about, own: cell, cells, proxies, ...named, apply: applied(cell, named), slotted }
    }
    return assembled(own, { weightQuant, biasQuant, inputQuant, outputQuant })
  })

/**
 * The weight as the layer uses it, quantized; the answer is the caller's to dispose. A layer without a weight quantizer has none: a
 * defect. A quantizer that depends on the format of the layer's input, as one that is aware of its accumulator, needs `input`.
 *
 * - errors: UnknownSign; MissingInput where the quantizer needs `input`
 */
export const quantWeight = (
  layer: Weighted,
  mode: Layer.Mode = Layer.evaluation,
  input?: QuantTensor.QuantTensor
): Effect.Effect<QuantTensor.QuantTensor, UnknownSign | Layer.InputError> =>
  Effect.gen(function* () {
    const proxy = layer.weightQuant
    if (proxy === undefined)
      return yield* Effect.die(
        new InvalidOptions({
          what: layer.kind,
          option: "weightQuant",
          reason: "is null, so there is no quantized weight; State.parameters has the plain one"
        })
      )
    yield* Layer.requireSign(proxy)
    return yield* Layer.attempt(() =>
      Layer.run(layer, mode, (states) =>
        Layer.quantize(
          states,
          proxy,
          Layer.stateOf(states, layer.own).parameters.weight as tf.Tensor,
          { training: mode.training },
          input === undefined ? {} : formatOf(input)
        )
      )
    ).pipe(Effect.map((y) => y as QuantTensor.QuantTensor))
  })

/**
 * The scale of the layer's weight, as evaluation uses it; the answer is the caller's to dispose.
 *
 * - errors: as `quantWeight`
 */
export const scale = (layer: Weighted): Effect.Effect<tf.Tensor, UnknownSign | Layer.InputError> =>
  Effect.map(quantWeight(layer), (quantized) => {
    const { scale } = quantized
    for (const tensor of QuantTensor.tensorsOf(quantized)) if (tensor !== scale) tensor.dispose()
    return scale
  })

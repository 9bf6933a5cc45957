/**
 * A gate of a recurrent layer: weights of the input and of the hidden state, a bias, and their quantizers.
 *
 * One quantizer serves both weights: its scale is taken of both. Names are those of Brevitas, so that its state dicts load.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `proxy`, `quant`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import type { Module } from "../core/Module.ts"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Cell from "../proxy/Cell.ts"
import type { Origin, Origins } from "../proxy/Origin.ts"
import type { QuantProxy, TrackedModule } from "../proxy/QuantProxy.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Random from "../tensor/Random.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import * as Layer from "./Layer.ts"
import * as Slot from "./Slot.ts"
import * as Slots from "./Slots.ts"
import * as Thread from "./Thread.ts"
import * as Weighted from "./Weighted.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A weight `[in, hidden]` and the quantizer that it may share with others. */
export interface Weight {
  readonly own: Cell.Cell
  readonly weightQuant: QuantProxy | undefined
}

export interface Gate {
  /** `layers.0.1.inputGateParams` */
  readonly name: string
  readonly inputWeight: Weight
  readonly hiddenWeight: Weight
  /** where the bias is */
  readonly own: Cell.Cell | undefined
  readonly biasQuant: QuantProxy | undefined
  readonly cells: Layer.Stateful["cells"]
  readonly proxies: Slots.Named
}

/** What a gate is part of. */
export interface Place {
  readonly kind: string
  /** `layers.0.1.inputGateParams` */
  readonly name: string
  /** the end of PyTorch's names: `l0_reverse` */
  readonly suffix: string
  /** which part of PyTorch's tensors is this gate's */
  readonly part?: Origin["part"]
  readonly inputSize: number
  readonly hiddenSize: number
  readonly random: Random.Random
}

export interface Options {
  readonly hasBias: boolean
  readonly quantizers: Slots.Given<"weight" | "bias">
  /** a proxy to share in the place of the option's */
  readonly weightQuant?: QuantProxy | undefined
  /** a weight of the input to share */
  readonly inputWeight?: Weight | undefined
}

/** The tensors of a gate as a call uses them. */
export interface Quantized {
  readonly inputWeight: tf.Tensor
  readonly hiddenWeight: tf.Tensor
  readonly bias: tf.Tensor | undefined
}

// ---- constructors -------------------------------------------------------------------------------------------

/** A cell with one tensor, drawn uniformly within `1 / sqrt(hiddenSize)`. */
const cellOf = (
  place: Place,
  name: string,
  shape: ReadonlyArray<number>,
  origins: Origins
): Effect.Effect<Cell.Cell, never, Scope.Scope> => {
  const bound = 1 / Math.sqrt(place.hiddenSize)
  const random = Random.split(Random.split(place.random, place.name), name)
  const drawn = (): tf.Tensor =>
    tf.tensor(Random.uniform(random, tf.util.sizeFromShape([...shape]), -bound, bound), [...shape])
  return Effect.acquireUseRelease(
    Effect.sync(drawn),
    (first) => LeasedRef.make(Cell.own({ parameters: { [name]: first }, memory: {} }, origins)),
    (first) => Effect.sync(() => first.dispose())
  )
}

/** How many names stand above a cell: `layers`, the layer, the direction, the gate, and for weights their own. */
const depth = { bias: 4, weight: 5 }

const partOf = ({ part }: Place): Pick<Origin, "part"> => (part === undefined ? {} : { part })

const weightCell = (
  place: Place,
  name: "inputWeight" | "hiddenWeight"
): Effect.Effect<Cell.Cell, never, Scope.Scope> => {
  const [size, key] = name === "inputWeight" ? [place.inputSize, "weight_ih"] : [place.hiddenSize, "weight_hh"]
  const origin: Origin = { keys: [`${key}_${place.suffix}`], above: depth.weight, axes: [1, 0], ...partOf(place) }
  const inner = { ...place, name: `${place.name}.${name}` }
  return cellOf(inner, "weight", [size, place.hiddenSize], { weight: [origin] })
}

const biasCell = (place: Place): Effect.Effect<Cell.Cell, never, Scope.Scope> => {
  const keys = [`bias_ih_${place.suffix}`, `bias_hh_${place.suffix}`] as const
  return cellOf(place, "bias", [place.hiddenSize], { bias: [{ keys, above: depth.bias, ...partOf(place) }] })
}

const moduleOf =
  (place: Place, weight: Cell.Cell, bias?: Cell.Cell): TrackedModule =>
  (candidates): Module => {
    const inside = (cell: Cell.Cell) => candidates(cell) ?? LeasedRef.current(cell).parameters
    return {
      kind: place.kind,
      weight: inside(weight).weight as tf.Tensor,
      ...(bias !== undefined && { bias: inside(bias).bias as tf.Tensor }),
      outChannels: place.hiddenSize,
      outputChannelAxis: 1
    }
  }

const inputWeightOf = (place: Place, options: Options): Effect.Effect<Weight, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const own = yield* weightCell(place, "inputWeight")
    const { weightQuant: quant, weight: overrides } = options.quantizers
    const module = moduleOf(place, own)
    const weightQuant =
      options.weightQuant === undefined
        ? yield* Slot.proxyFor("weight", quant, overrides, ScaledInt.Int8WeightPerTensorFloat, module)
        : yield* Slot.proxyFor("weight", options.weightQuant, undefined, null, module)
    return { own, weightQuant }
  })

/** A gate of its own, or one that shares a weight or a quantizer; it lives in the surrounding Scope. */
export const make = (place: Place, options: Options): Effect.Effect<Gate, ResolutionError, Scope.Scope> =>
  Effect.gen(function* () {
    const inputWeight = options.inputWeight ?? (yield* inputWeightOf(place, options))
    const { weightQuant } = inputWeight
    const hidden = yield* weightCell(place, "hiddenWeight")
    yield* Slot.proxyFor("weight", weightQuant ?? null, undefined, null, moduleOf(place, hidden))
    const own = options.hasBias ? yield* biasCell(place) : undefined
    const { biasQuant: quant, bias } = options.quantizers
    const biasModule = moduleOf(place, inputWeight.own, own)
    const biasQuant =
      own === undefined ? undefined : yield* Slot.proxyFor("bias", quant, bias, ScaledInt.Int32Bias, biasModule)
    const { name } = place
    const proxies = Slots.named(
      { "inputWeight.weightQuant": weightQuant, "hiddenWeight.weightQuant": weightQuant, biasQuant },
      `${name}.`
    )
    const cells = [
      ...(own === undefined ? [] : [[name, own] as const]),
      [`${name}.inputWeight`, inputWeight.own] as const,
      [`${name}.hiddenWeight`, hidden] as const,
      ...Slots.cellsOf(proxies)
    ]
    return { name, inputWeight, hiddenWeight: { own: hidden, weightQuant }, own, biasQuant, cells, proxies }
  })

// ---- operations ---------------------------------------------------------------------------------------------

/** Quantizes the tensors of a gate for one call; the bias may need the format of the input. */
export const quantized = (gate: Gate, thread: Thread.Thread, input: Layer.Value): Quantized => {
  const parameter = (cell: Cell.Cell, name: string): tf.Tensor =>
    Layer.stateOf(thread.states, cell).parameters[name] as tf.Tensor
  const format = Weighted.formatOf(input)
  const weightOf = ({ own, weightQuant }: Weight): Layer.Value =>
    Thread.quantized(thread, weightQuant, parameter(own, "weight"), format)
  const inputWeight = weightOf(gate.inputWeight)
  const hiddenWeight = weightOf(gate.hiddenWeight)
  const bias = gate.own && parameter(gate.own, "bias")
  const products = (): ReturnType<typeof Weighted.productsOf> =>
    Weighted.productsOf(input, inputWeight, bias?.size ?? 0)
  return {
    inputWeight: QuantTensor.dequantized(inputWeight),
    hiddenWeight: QuantTensor.dequantized(hiddenWeight),
    bias:
      bias === undefined || gate.biasQuant === undefined
        ? bias
        : QuantTensor.dequantized(
            Layer.located(gate.name, () => Thread.quantized(thread, gate.biasQuant, bias, products()))
          )
  }
}

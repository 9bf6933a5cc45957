/**
 * The projections of multi-head attention: of queries, keys and values, in one product or in three, and of what the heads answer.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `op`, `proxy`, `quant`, `tensor`, `./Layer.ts`, `./Slots.ts`, `./Weighted.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import type { Effect, Scope } from "effect"
import * as Linalg from "../op/Linalg.ts"
import type { Origin, Origins } from "../proxy/Origin.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import * as Random from "../tensor/Random.ts"
import type * as Layer from "./Layer.ts"
import type * as Slots from "./Slots.ts"
import * as Weighted from "./Weighted.ts"

/** The slots of all projections into the heads, and those of the one out of them. */
export type InSlot = "inProjInput" | "inProjWeight" | "inProjBias"
export type OutSlot = "outProjInput" | "outProjWeight" | "outProjBias" | "outProjOutput"
export type Slot = InSlot | OutSlot

export interface Place {
  /** its name in the layer: `inProj`, `qProj`, `kProj`, `vProj` or `outProj` */
  readonly name: string
  readonly inFeatures: number
  readonly outFeatures: number
  readonly hasBias: boolean
  readonly seed: number
}

// ---- state dicts of PyTorch ---------------------------------------------------------------------------------

const parts: ReadonlyArray<string> = ["qProj", "kProj", "vProj"]

/** Where float attention keeps weight and bias: in one tensor for all three, or weights in three. */
const originsOf = (name: string): Origins => {
  const index = parts.indexOf(name)
  if (name === "outProj") return {}
  const own = (key: string, axes: ReadonlyArray<number>): Origin => ({ keys: [key], above: 1, axes })
  if (index < 0) return { weight: [own("in_proj_weight", [1, 0])], bias: [own("in_proj_bias", [0])] }
  const part = { index, of: parts.length }
  return {
    weight: [own(`${name[0]}_proj_weight`, [1, 0]), { ...own("in_proj_weight", [1, 0]), part }],
    bias: [{ ...own("in_proj_bias", [0]), part }]
  }
}

// ---- the layers ---------------------------------------------------------------------------------------------

/** Weights drawn uniformly within `sqrt(6 / (in + out))` (Glorot and Bengio 2010), biases of 0. */
const initial = ({ name, inFeatures, outFeatures, seed }: Place) => {
  const bound = Math.sqrt(6 / (inFeatures + outFeatures))
  const random = Random.split(Random.make(seed), name)
  return {
    weight: tf.tensor2d(Random.uniform(random, inFeatures * outFeatures, -bound, bound), [inFeatures, outFeatures]),
    bias: tf.zeros([outFeatures])
  }
}

type Given = Slots.Given<Slot> & { readonly returnQuantTensor?: boolean }

/** What is given, without what is absent. */
const present = (options: Readonly<Record<keyof Weighted.Erased, unknown>>): Weighted.Erased =>
  Object.fromEntries(Object.entries(options).filter(([, option]) => option !== undefined))

/** The options of a projection as those of a layer with a weight: 8 bits, biases of 32; nothing for the output. */
const optionsOf = ({ name, hasBias, seed }: Place, o: Given): Weighted.Erased => {
  const out = name === "outProj"
  const [input, weight, bias] = out
    ? [o.outProjInputQuant, o.outProjWeightQuant, o.outProjBiasQuant]
    : [o.inProjInputQuant, o.inProjWeightQuant, o.inProjBiasQuant]
  return present({
    inputQuant: input === undefined ? ScaledInt.Int8ActPerTensorFloat : input,
    input: out ? o.outProjInput : o.inProjInput,
    weightQuant: weight,
    weight: out ? o.outProjWeight : o.inProjWeight,
    biasQuant: !hasBias ? null : bias === undefined ? ScaledInt.Int32Bias : bias,
    bias: out ? o.outProjBias : o.inProjBias,
    outputQuant: out ? o.outProjOutputQuant : undefined,
    output: out ? o.outProjOutput : undefined,
    returnQuantTensor: out ? o.returnQuantTensor : undefined,
    seed,
    initialBound: undefined,
    hasBias
  })
}

/** A projection as a linear layer; it takes rows of any number of axes before the last. */
export const make = (place: Place, options: Given): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> => {
  const { name, inFeatures, outFeatures } = place
  const shape: Weighted.Shape = {
    kind: "QuantLinear",
    weightShape: [inFeatures, outFeatures],
    fanIn: inFeatures,
    outChannels: outFeatures,
    outputChannelAxis: 1,
    products: () => inFeatures,
    origins: originsOf(name),
    initial: () => initial(place),
    formula: (x, weight, bias) => Linalg.linear(x, weight, bias)
  }
  return Weighted.make(shape, optionsOf(place, options))
}

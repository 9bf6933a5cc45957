/**
 * A layer of a case about saving and loading: how it is made, and its state under the names and in the layouts of the reference.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as Names from "../../../../src/exchange/PyTorchNames.ts"
import * as Activation from "../../../../src/nn/Activation.ts"
import * as Embedding from "../../../../src/nn/Embedding.ts"
import * as Entry from "../../../../src/nn/Entry.ts"
import type * as Layer from "../../../../src/nn/Layer.ts"
import * as Normalization from "../../../../src/nn/Normalization.ts"
import * as Select from "../../../../src/nn/Select.ts"
import * as Origin from "../../../../src/proxy/Origin.ts"
import * as LeasedRef from "../../../../src/tensor/LeasedRef.ts"
import * as Stored from "../../../../src/tensor/Stored.ts"
import * as StoredView from "../../../../src/tensor/StoredView.ts"
import * as Tree from "../../../../src/tensor/Tree.ts"
import type { Case } from "../../Case.ts"
import { numberOf } from "../Core.ts"
import * as Attention from "../layers/Attention.ts"
import { optionsOf } from "../layers/Options.ts"
import * as Recurrent from "../layers/Recurrent.ts"
import * as Weighted from "../layers/Weighted.ts"
import { camelOf } from "../quantizers/Names.ts"

// ---- layers -------------------------------------------------------------------------------------------------

// the options of a case are not known to the compiler
type Make = (options: any) => Effect.Effect<Layer.Layer, unknown, Scope.Scope>

/** A layer, which inputs it takes, and the roles of its quantizers. */
interface Kind {
  readonly make: Make
  readonly input: ReadonlyArray<number>
  /** the input counts rows of a table */
  readonly counts?: boolean
  readonly roles: ReadonlyArray<"weight" | "bias" | "input" | "output" | "act">
}
const weighted = ["weight", "bias", "input", "output"] as const

const activation = (make: unknown, roles: Kind["roles"]): Kind => ({ make: make as Make, input: [2, 3, 2, 2], roles })

const kinds: Readonly<Record<string, Kind>> = {
  QuantEmbedding: { make: Embedding.quantEmbedding as unknown as Make, input: [4], roles: ["weight"], counts: true },
  QuantScaleBias: { make: Normalization.quantScaleBias as Make, input: [2, 3], roles: weighted },
  QuantIdentity: activation(Activation.quantIdentity, ["act"]),
  QuantReLU: activation(Activation.quantReLU, ["act", "input"]),
  QuantSigmoid: activation(Activation.quantSigmoid, ["act", "input"]),
  QuantTanh: activation(Activation.quantTanh, ["act", "input"]),
  QuantHardTanh: activation(Activation.quantHardTanh, ["act", "input"])
}

/** Linear and convolutional layers, which take as many channels as their options say. */
const product = (testCase: Case): Kind | undefined => {
  const { layer, args } = testCase.config
  const axes = /^QuantConv(?:Transpose)?([123])d$/.exec(layer)?.[1]
  if (axes === undefined && layer !== "QuantLinear") return undefined
  const { make } = Weighted.layerOf({ ...testCase, config: { layer, args: { bias: true, ...args } } })
  const image = Array.from({ length: Number(axes ?? 0) }, () => 5)
  return { make, input: [2, ...image, args.in_features ?? args.in_channels], roles: weighted }
}

const kindOf = (testCase: Case): Kind | undefined => {
  const { layer } = testCase.config
  return product(testCase) ?? (Object.hasOwn(kinds, layer) ? kinds[layer] : undefined)
}

const argsOf = (args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      if (name === "num_features") return ["channels", value]
      if (name === "bias") return ["hasBias", value]
      return [camelOf(name), name === "kernel_size" && typeof value === "number" ? [value, value] : value]
    })
  )

/** Layers of sequences: how they are made, which answer counts, and which inputs they take. */
const sequences: Readonly<Record<string, (testCase: Case) => ReturnType<Make>>> = {
  QuantRNN: (testCase) => answering(Recurrent.layerOf(testCase)),
  QuantLSTM: (testCase) => answering(Recurrent.layerOf(testCase)),
  QuantMultiheadAttention: (testCase) => answering(Attention.multiheadOf(testCase))
}
const sequenceInputs: Readonly<Record<string, ReadonlyArray<number>>> = {
  QuantRNN: [4, 2, 3],
  QuantLSTM: [4, 2, 3],
  QuantMultiheadAttention: [3, 2, 4]
}

/** The layer as one of its first answer alone. */
const answering = (make: Effect.Effect<Layer.Layer<any, any>, unknown, Scope.Scope>): ReturnType<Make> =>
  Effect.map(make, (layer) => Select.answer(layer, "output"))

/** The layer of a case; `undefined` where there is none of this kind. */
export const make = (testCase: Case): ReturnType<Make> | undefined => {
  const { layer, args, quantizers = {} } = testCase.config
  if (Object.hasOwn(sequences, layer)) return sequences[layer]?.(testCase)
  const kind = kindOf(testCase)
  const given = { ...testCase, config: { ...testCase.config, quantizers } }
  const own = product(testCase) === undefined ? argsOf(args) : {}
  return kind?.make({ ...own, ...optionsOf(given, kind.roles) })
}

/** Some input that the layer of a case takes. */
export const anyInput = (testCase: Case): tf.Tensor => {
  const { input = sequenceInputs[testCase.config.layer] ?? [], counts = false } = kindOf(testCase) ?? {}
  const numbers = Array.from({ length: Stored.sizeOf(input) }, (_, i) => (counts ? i : Math.sin(7 * i + 1)))
  return tf.tensor(numbers, [...input], counts ? "int32" : "float32")
}

// ---- states -------------------------------------------------------------------------------------------------

export interface Written {
  readonly shape: ReadonlyArray<number>
  readonly data: ReadonlyArray<number | string>
}

/** Written tensors as a file of the reference would have them. */
export const stored = (written: Readonly<Record<string, Written>> | undefined): Stored.Tensors =>
  Object.fromEntries(
    Object.entries(written ?? {}).map(([name, { shape, data }]) => [
      name,
      Stored.fromFloats(Float32Array.from(data, numberOf), shape)
    ])
  )

/** In the reference's layout. */
export const there = (tensor: tf.Tensor, path: string): tf.Tensor => {
  const turned = StoredView.transpose(Stored.fromTensor(tensor), StoredView.inverse(Origin.axesOf(path, tensor.rank)))
  return tf.tensor(Stored.floats(turned), [...turned.shape])
}

/** All that a layer has, learned or remembered, as the reference names it: what `init_done` counts is whether it is. */
export const everything = (layer: Layer.Stateful): Readonly<Record<string, tf.Tensor | number | boolean>> =>
  Object.fromEntries(
    layer.cells.flatMap(([prefix, cell]) => {
      const { parameters, memory } = LeasedRef.current(cell)
      const slot = new Map(layer.proxies).get(prefix)?.slot
      return [...Tree.leaves(memory), ...Tree.leaves(parameters)].map(([path, leaf]) => {
        const name =
          slot === undefined ? Names.snake(Entry.dotted(prefix, path)) : Names.ofQuantizer(prefix, slot, path)
        const value =
          typeof leaf === "number"
            ? path.endsWith("initDone")
              ? leaf === 1
              : leaf
            : there(leaf, slot === undefined ? path : slot === "weight" ? "weight" : "")
        return [name, value]
      })
    })
  )

/** The names that are learned, as the reference has them: what layers share has one of its names, a listed one if there is one. */
export const learned = (layer: Layer.Stateful, listed: ReadonlyArray<string>): ReadonlyArray<string> => {
  const slots = new Map(layer.proxies)
  const named = layer.cells.map(([prefix, cell]) => {
    const slot = slots.get(prefix)?.slot
    const names = Tree.leaves(LeasedRef.current(cell).parameters).map(([path]) =>
      slot === undefined ? Names.snake(Entry.dotted(prefix, path)) : Names.ofQuantizer(prefix, slot, path)
    )
    return { cell, names, known: names.every((name) => listed.includes(name)) }
  })
  const cells = [...new Set(named.map(({ cell }) => cell))]
  return cells.flatMap((cell) => {
    const same = named.filter((one) => one.cell === cell)
    return (same.find(({ known }) => known) ?? same[0])?.names ?? []
  })
}

/** The values of a stored tensor. */
export const tensorOf = (one: Stored.Stored): tf.Tensor => tf.tensor(Stored.floats(one), [...one.shape])

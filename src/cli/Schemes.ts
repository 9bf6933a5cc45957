/**
 * The quantization schemes that the training command compares, each composed from the catalogue.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `core`, `inject`, `quant`, `tensor`, `./Pieces.ts`.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Data, pipe } from "effect"
import { ClampedBinaryQuant } from "../core/BinaryQuant.ts"
import * as Brick from "../core/Brick.ts"
import type { Module } from "../core/Module.ts"
import { ParameterScaling } from "../core/Scaling.ts"
import * as Injector from "../inject/Injector.ts"
import * as ScaledInt from "../quant/ScaledInt.ts"
import { nearest } from "../tensor/Nearest.ts"
import type { Widths } from "./Pieces.ts"

/** How a network is quantized. */
export interface Scheme {
  readonly name: string
  readonly widths: Widths
  readonly weight: Injector.Any
  readonly input: Injector.Any
  readonly activation: Injector.Any
}

/** How many batches the activation quantizers watch before their scales are learned. */
export const calibrationSteps = 20

const input = pipe(ScaledInt.Int8ActPerTensorFloat, Injector.let({ collectStatsSteps: calibrationSteps }))
const activation = pipe(ScaledInt.Uint8ActPerTensorFloat, Injector.let({ collectStatsSteps: calibrationSteps }))

/** Weights of plus or minus one learned scale, which begins as the mean magnitude of the layer's weights. */
const binaryWeight = Injector.make("BinaryWeight", {
  tensorQuant: ClampedBinaryQuant,
  scalingImpl: ParameterScaling,
  scalingInit: Brick.tensor(["module"], (module: Module) => tf.mean(tf.abs(module.weight))),
  signed: true
})

/** The input has 8 bits, as images have. */
const widths = (weightBits: number, actBits: number): Widths => ({ weightBits, actBits, inputBits: 8 })

export const all: ReadonlyArray<Scheme> = [
  { name: "int8", widths: widths(8, 8), weight: ScaledInt.Int8WeightPerTensorFloat, input, activation },
  {
    name: "int4",
    widths: widths(4, 4),
    weight: pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4 })),
    input,
    activation: pipe(activation, Injector.let({ bitWidth: 4 }))
  },
  { name: "binary", widths: widths(1, 8), weight: binaryWeight, input, activation }
]

export const names: ReadonlyArray<string> = all.map(({ name }) => name)

/** No scheme or catalogue entry has this name. */
export class UnknownQuantizer extends Data.TaggedError("UnknownQuantizer")<{
  readonly wanted: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const near = nearest(this.wanted, this.known)
    return `unknown quantizer "${this.wanted}"${near === undefined ? "" : `; did you mean "${near}"?`} Known: ${this.known.join(", ")}`
  }
}

export const find = (name: string): Scheme | undefined => all.find((scheme) => scheme.name === name)

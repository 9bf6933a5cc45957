/**
 * The networks that the commands know by name: a shape, and how its weights and activations are quantized.
 *
 * Two families: `mlp-int8` and the like are trained as floats and then with their quantizers (Experiment.ts); `tfc-1w1a` and the like
 * begin at their small widths (Recipe.ts).
 *
 * Room: cli (level 6). Imports: effect, `exchange`, `nn`, `train`, `tensor`, `./FullyConnected.ts`, `./Convolutional.ts`,
 * `./Network.ts`, `./Pieces.ts`, `./Schemes.ts`.
 */
import { Data, Effect, type Scope } from "effect"
import * as Dataset from "../exchange/Dataset.ts"
import type * as Layer from "../nn/Layer.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import { nearest } from "../tensor/Nearest.ts"
import type * as Batch from "../train/Batch.ts"
import * as Classifier from "../train/Classifier.ts"
import * as Convolutional from "./Convolutional.ts"
import * as FullyConnected from "./FullyConnected.ts"
import { type Image, type Shape, shapes } from "./Network.ts"
import * as Pieces from "./Pieces.ts"
import * as Schemes from "./Schemes.ts"

export interface Network {
  readonly name: string
  readonly widths: Pieces.Widths
  /** how it is trained: by the recipe from the start, or as floats first and then by a scheme (floats alone: undefined) */
  readonly training:
    | { readonly by: "recipe" }
    | { readonly by: "tuning"; readonly shape: Shape; readonly scheme: Schemes.Scheme | undefined }
  /** the network for images of this size */
  readonly make: (
    image: Image,
    seed: number
  ) => Effect.Effect<Layer.Layer, Layer.BuildError | ShapeMismatch, Scope.Scope>
  /** images as the network takes them, with their labels */
  readonly source: (images: Dataset.Dataset) => Batch.Source
}

// ---- tuned --------------------------------------------------------------------------------------------------

const tuned = (shape: Shape, scheme: Schemes.Scheme | undefined): Network => ({
  name: `${shape}-${scheme?.name ?? "float"}`,
  widths: scheme?.widths ?? { weightBits: 32, actBits: 32, inputBits: 32 },
  training: { by: "tuning", shape, scheme },
  make: (image, seed) => Effect.map(shapes[shape](scheme, image, seed), ({ model }) => model),
  source: (images) => Classifier.source(Dataset.reader(images))
})

// ---- of small widths ----------------------------------------------------------------------------------------

/** Weights and activations of these bits; of the fully connected networks the input has as many as the activations. */
const widths: Readonly<Record<string, readonly [weightBits: number, actBits: number]>> = {
  "1w1a": [1, 1],
  "1w2a": [1, 2],
  "2w2a": [2, 2]
}

const fullyConnected =
  (size: number) =>
  (bits: Pieces.Widths): Network["make"] =>
  ({ height, width }, seed) =>
    FullyConnected.make({ ...bits, inFeatures: height * width, hidden: [size, size, size], seed })

const convolutional =
  (bits: Pieces.Widths): Network["make"] =>
  ({ height, width }, seed) => {
    const { smallest } = Convolutional
    if (Math.min(height, width) >= smallest) return Convolutional.make({ ...bits, inputBits: 8, height, width, seed })
    const expected = `images of at least ${smallest} x ${smallest} pixels`
    return Effect.fail(new ShapeMismatch({ what: "the input of a cnv network", expected, actual: [height, width] }))
  }

const small = { tfc: fullyConnected(64), sfc: fullyConnected(256), cnv: convolutional }

// ---- by name ------------------------------------------------------------------------------------------------

export const all: ReadonlyArray<Network> = [
  ...(["mlp", "cnn"] as const).flatMap((shape) => [undefined, ...Schemes.all].map((scheme) => tuned(shape, scheme))),
  ...Object.entries(small).flatMap(([shape, make]) =>
    Object.entries(widths).map(([suffix, [weightBits, actBits]]): Network => {
      const bits = { weightBits, actBits, inputBits: actBits }
      return {
        name: `${shape}-${suffix}`,
        widths: bits,
        training: { by: "recipe" },
        make: make(bits),
        source: Pieces.source
      }
    })
  )
]

export const names: ReadonlyArray<string> = all.map(({ name }) => name)

/** No network has this name. */
export class UnknownNetwork extends Data.TaggedError("UnknownNetwork")<{
  readonly wanted: string
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const near = nearest(this.wanted.toLowerCase(), this.known)
    return `unknown network "${this.wanted}"${near === undefined ? "" : `; did you mean "${near}"?`} Known: ${this.known.join(", ")}`
  }
}

export const find = (wanted: string): Effect.Effect<Network, UnknownNetwork> => {
  const found = all.find(({ name }) => name === wanted.toLowerCase())
  return found === undefined ? Effect.fail(new UnknownNetwork({ wanted, known: names })) : Effect.succeed(found)
}

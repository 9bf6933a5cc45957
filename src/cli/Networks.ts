/**
 * The networks of small widths that the training command knows by name: a shape, and how many bits its weights and activations have.
 *
 * Room: cli (level 6). Imports: effect, `exchange`, `nn`, `tensor`, `./FullyConnected.ts`, `./Convolutional.ts`.
 */
import { Data, Effect, type Scope } from "effect"
import type * as Dataset from "../exchange/Dataset.ts"
import type * as Layer from "../nn/Layer.ts"
import { nearest, ShapeMismatch } from "../tensor/Errors.ts"
import * as Convolutional from "./Convolutional.ts"
import * as FullyConnected from "./FullyConnected.ts"
import type { Widths } from "./Pieces.ts"

export interface Network {
  readonly name: string
  readonly widths: Widths
  /** the network for images of the size that these have */
  readonly make: (
    images: Dataset.Dataset,
    seed: number
  ) => Effect.Effect<Layer.Layer, Layer.BuildError | ShapeMismatch, Scope.Scope>
}

/** Weights and activations of these bits; of the fully connected networks the input has as many as the activations. */
const widths: Readonly<Record<string, readonly [weightBits: number, actBits: number]>> = {
  "1w1a": [1, 1],
  "1w2a": [1, 2],
  "2w2a": [2, 2]
}

const fullyConnected =
  (size: number) =>
  (bits: Widths): Network["make"] =>
  ({ height, width }, seed) =>
    FullyConnected.make({ ...bits, inFeatures: height * width, hidden: [size, size, size], seed })

const convolutional =
  (bits: Widths): Network["make"] =>
  ({ height, width }, seed) => {
    const { smallest } = Convolutional
    if (Math.min(height, width) >= smallest) return Convolutional.make({ ...bits, inputBits: 8, height, width, seed })
    const expected = `images of at least ${smallest} x ${smallest} pixels`
    return Effect.fail(new ShapeMismatch({ what: "the input of a cnv network", expected, actual: [height, width] }))
  }

const shapes = { tfc: fullyConnected(64), sfc: fullyConnected(256), cnv: convolutional }

const networks: ReadonlyArray<Network> = Object.entries(shapes).flatMap(([shape, make]) =>
  Object.entries(widths).map(([suffix, [weightBits, actBits]]) => {
    const bits = { weightBits, actBits, inputBits: actBits }
    return { name: `${shape}-${suffix}`, widths: bits, make: make(bits) }
  })
)

export const names: ReadonlyArray<string> = networks.map(({ name }) => name)

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
  const found = networks.find(({ name }) => name === wanted.toLowerCase())
  return found === undefined ? Effect.fail(new UnknownNetwork({ wanted, known: names })) : Effect.succeed(found)
}

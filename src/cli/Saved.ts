/**
 * Trained networks as files: a state in Safetensors whose texts say which network it is of, and the model that comes of it.
 *
 * Room: cli (level 6). Imports: effect, `exchange`, `nn`, `ptq`, `tensor`, `./Network.ts`, `./Networks.ts`.
 */
import { Data, Effect, FileSystem, Option, type Scope } from "effect"
import * as Safetensors from "../exchange/Safetensors.ts"
import type * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Recipe from "../ptq/Recipe.ts"
import * as Structure from "../ptq/Structure.ts"
import { MalformedFile } from "../tensor/FileErrors.ts"
import type { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type * as Stored from "../tensor/Stored.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type { Image } from "./Network.ts"
import * as Networks from "./Networks.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** A trained network: what it is called, the images that it takes, and its model, which lives in the surrounding Scope. */
export interface Saved {
  readonly network: Networks.Network
  readonly image: Image
  readonly model: Layer.Layer
}

/** A file holds the state of something else than the network that it should be of. */
export class ForeignState extends Data.TaggedError("ForeignState")<{
  readonly file: string
  readonly network: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.file} is not a state of ${this.network}: ${this.reason}; name the network that was trained (--network), or the file with its state`
  }
}

/** Neither the file nor the command says of which network a state is. */
export class UnnamedState extends Data.TaggedError("UnnamedState")<{ readonly file: string }> {
  override get message(): string {
    return `${this.file} does not say of which network it is; name it: --network NAME, one of ${Networks.names.join(", ")}`
  }
}

export type ReadError =
  | MalformedFile
  | ForeignState
  | UnnamedState
  | Networks.UnknownNetwork
  | ShapeMismatch
  | Layer.BuildError
  | ResolutionError

// ---- writing ------------------------------------------------------------------------------------------------

/** How a network was quantized: the recipe, and what became of the network's structure by it. */
export interface Quantized {
  readonly recipe: Recipe.Recipe
  readonly structure: Structure.Structure
}

/** The bytes of a file with the state of a network for images of a size, and how it was quantized, if it was. */
export const encode = (
  network: string,
  { height, width }: Image,
  state: Stored.Tensors,
  quantized?: Quantized
): Uint8Array =>
  Safetensors.encode(state, {
    network,
    height: `${height}`,
    width: `${width}`,
    ...(quantized && {
      recipe: Recipe.encode(quantized.recipe),
      structure: Structure.encode(quantized.structure)
    })
  })

// ---- reading ------------------------------------------------------------------------------------------------

/** The bytes of a file, or why there are none. */
export const bytesOf = Effect.fn("Saved.bytesOf")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFile(file).pipe(
    Effect.mapError(
      ({ reason }) =>
        new MalformedFile({
          file,
          reason: reason._tag === "NotFound" ? "no such file" : `cannot be read (${reason.description ?? reason._tag})`
        })
    )
  )
})

/** Images of MNIST's size, where a file does not say another one. */
const usual: Image = { height: 28, width: 28 }

const sizeOf = (file: string, text: string | undefined, other: number): Effect.Effect<number, MalformedFile> => {
  if (text === undefined) return Effect.succeed(other)
  const size = Number(text)
  return Number.isInteger(size) && size > 0
    ? Effect.succeed(size)
    : Effect.fail(new MalformedFile({ file, reason: `says that its images have ${text} pixels` }))
}

const networkOf = (file: string, wanted: Option.Option<string>, told: string | undefined) =>
  Effect.gen(function* () {
    const name = Option.getOrElse(wanted, () => told)
    if (name === undefined) return yield* new UnnamedState({ file })
    const network = yield* Networks.find(name)
    if (told !== undefined && told !== network.name)
      return yield* new ForeignState({ file, network: network.name, reason: `it says that it is of ${told}` })
    return network
  })

/** A network with the structure that its state has. */
const rebuilt = (text: string, file: string, { name }: Networks.Network, made: Layer.Layer) =>
  Effect.flatMap(Structure.decode(text, file), (structure) => Structure.rebuilt(structure)(made)).pipe(
    Effect.catchTag("UnknownLayer", ({ message }) => Effect.fail(foreign(file, name, message)))
  )

/** What a load says of keys and shapes, in words about the file. */
const foreign = (file: string, network: string, reason: string): ForeignState =>
  new ForeignState({ file, network, reason })

const few = (keys: ReadonlyArray<string>): string =>
  keys.length > 3 ? `${keys.slice(0, 3).join(", ")} and ${keys.length - 3} more` : keys.join(", ")

/**
 * The trained network of a state file. `wanted` names it where the file does not; where both do, they have to agree. Every value of
 * the network has to be there, and nothing else.
 */
export const read = Effect.fn("Saved.read")(function* (
  file: string,
  wanted: Option.Option<string> = Option.none()
): Effect.fn.Return<Saved, ReadError, FileSystem.FileSystem | Scope.Scope> {
  const { tensors, metadata } = yield* Effect.fromResult(Safetensors.decode(yield* bytesOf(file), file))
  const network = yield* networkOf(file, wanted, metadata.network)
  const height = yield* sizeOf(file, metadata.height, usual.height)
  const width = yield* sizeOf(file, metadata.width, usual.width)
  const made = yield* network.make({ height, width }, 0)
  const model = metadata.structure === undefined ? made : yield* rebuilt(metadata.structure, file, network, made)
  yield* State.load(model, tensors, "strict").pipe(
    Effect.catchTags({
      MissingKeys: ({ keys }) => Effect.fail(foreign(file, network.name, `it lacks ${few(keys)}`)),
      UnexpectedKeys: ({ keys }) =>
        Effect.fail(foreign(file, network.name, `it has ${few(keys)}, which nothing takes`)),
      ShapeMismatch: ({ what, expected, actual }) =>
        Effect.fail(foreign(file, network.name, `${what} should be ${expected}, and is [${actual.join(", ")}]`))
    })
  )
  return { network, image: { height, width }, model }
})

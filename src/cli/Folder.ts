/**
 * Reads digits from a folder of MNIST-style IDX files, raw or gzipped.
 *
 * Room: cli (level 6). Imports: effect, `exchange`, `tensor`.
 */
import { Effect, FileSystem, Path, Result } from "effect"
import * as Dataset from "../exchange/Dataset.ts"
import * as Idx from "../exchange/Idx.ts"
import { MalformedFile } from "../tensor/FileErrors.ts"

/** Images to learn from and images to be judged by. */
export interface Split {
  readonly train: Dataset.Dataset
  readonly test: Dataset.Dataset
}

/** Four fifths to train, the rest to test. */
export const split = (dataset: Dataset.Dataset): Split => {
  const cut = Math.floor(dataset.count * 0.8)
  return { train: Dataset.slice(dataset, 0, cut), test: Dataset.slice(dataset, cut, dataset.count) }
}

/** The files `train-…` and `t10k-…` of a folder; if only one of the two sets is there it is split. */
export const read = Effect.fn("Folder.read")(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* files
    .readDirectory(folder)
    .pipe(Effect.mapError(() => new MalformedFile({ file: folder, reason: "no such folder, or it cannot be read" })))
  const parsed = (set: string, kind: string) =>
    Effect.gen(function* () {
      const name = [`${set}-${kind}`, `${set}-${kind}.gz`].find((candidate) => names.includes(candidate))
      if (name === undefined) return undefined
      const file = path.join(folder, name)
      const bytes = yield* files
        .readFile(file)
        .pipe(Effect.mapError((error) => new MalformedFile({ file, reason: error.message })))
      return yield* Idx.read(file, bytes)
    })
  const set = (name: string) =>
    Effect.gen(function* () {
      const images = yield* parsed(name, "images-idx3-ubyte")
      const labels = yield* parsed(name, "labels-idx1-ubyte")
      if (images === undefined && labels === undefined) return undefined
      if (images === undefined || labels === undefined) {
        const absent = `${name}-${images === undefined ? "images-idx3-ubyte" : "labels-idx1-ubyte"}`
        return yield* new MalformedFile({ file: folder, reason: `lacks ${absent} (or ${absent}.gz)` })
      }
      return yield* Result.match(Idx.pair(images, labels), {
        onFailure: (error) => Effect.fail(error),
        onSuccess: (dataset) => Effect.succeed(dataset)
      })
    })
  const [train, test] = [yield* set("train"), yield* set("t10k")]
  if (train !== undefined && test !== undefined) return { train, test } satisfies Split
  const only = train ?? test
  if (only === undefined)
    return yield* new MalformedFile({
      file: folder,
      reason: "holds no digits; expected train- or t10k-images-idx3-ubyte and -labels-idx1-ubyte, raw or .gz"
    })
  return split(only)
})

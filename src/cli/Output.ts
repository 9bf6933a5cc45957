/**
 * Writing a command's results: all files or none, and finding out before the work starts whether they could be written.
 *
 * Files are first written into a new directory inside the target (`.breve-…`), then renamed into place; what stood there is kept
 * aside until the last one is in place and put back if one fails. A failure or an interruption leaves everything as it was,
 * including directories that did not exist.
 *
 * Room: cli (level 6). Imports: effect, the errors of `tensor`.
 */
import { Effect, Exit, FileSystem, Path, type PlatformError } from "effect"
import { OutputFailed } from "../tensor/FileErrors.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** File names (without directories) and their contents. */
export type Files = Readonly<Record<string, string | Uint8Array>>

type Machine = FileSystem.FileSystem | Path.Path

/** The place where files wait for being renamed. */
interface Stage {
  readonly directory: string
  /** the new directory inside `directory` */
  readonly temporary: string
  /** directories made for this, the innermost first */
  readonly made: ReadonlyArray<string>
}

// ---- operations ---------------------------------------------------------------------------------------------

/** Writes all files into a directory, which is made if need be, or changes nothing. */
export const writeAll = Effect.fn("Output.writeAll")(function* (
  directory: string,
  files: Files
): Effect.fn.Return<void, OutputFailed, Machine> {
  const names = Object.keys(files)
  yield* Effect.acquireUseRelease(
    open(directory),
    (stage) =>
      Effect.gen(function* () {
        yield* checkNames(stage, names)
        for (const [name, content] of Object.entries(files)) yield* write(stage, name, content)
        yield* Effect.uninterruptible(publish(stage, names))
      }),
    (stage, exit) => close(stage, Exit.isSuccess(exit))
  )
})

/** Tries whether `writeAll` with these names would work, by really making a file there, and leaves nothing behind. */
export const check = Effect.fn("Output.check")(function* (
  directory: string,
  names: ReadonlyArray<string> = []
): Effect.fn.Return<void, OutputFailed, Machine> {
  yield* Effect.acquireUseRelease(
    open(directory),
    (stage) => Effect.andThen(checkNames(stage, names), write(stage, "probe", "breve")),
    (stage) => close(stage, false)
  )
})

// ---- the stage ----------------------------------------------------------------------------------------------

const open = (directory: string): Effect.Effect<Stage, OutputFailed, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const target = path.resolve(directory)
    const made = yield* missing(target).pipe(Effect.mapError(outputFailed(directory)))
    return yield* Effect.gen(function* () {
      // one by one: Node's recursive mkdir never ends where a parent refuses new entries as "not found" (/proc)
      for (const absent of made.toReversed()) yield* fs.makeDirectory(absent)
      if (made.length === 0) yield* fs.makeDirectory(target, { recursive: true })
      const temporary = yield* fs.makeTempDirectory({ directory: target, prefix: ".breve-" })
      return { directory: target, temporary, made }
    }).pipe(
      Effect.onError(() => removeEmpty(made)),
      Effect.mapError(outputFailed(directory))
    )
  })

/** The directories on the way to `directory` that do not exist, the innermost first. */
const missing = (directory: string): Effect.Effect<ReadonlyArray<string>, PlatformError.PlatformError, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const parent = path.dirname(directory)
    if (parent === directory || (yield* fs.exists(directory))) return []
    return [directory, ...(yield* missing(parent))]
  })

const close = (stage: Stage, keep: boolean): Effect.Effect<void, never, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* Effect.ignore(fs.remove(stage.temporary, { recursive: true, force: true }))
    if (!keep) yield* removeEmpty(stage.made)
  })

/** Removes directories that we made, as far as nobody has put anything into them. */
const removeEmpty = (directories: ReadonlyArray<string>): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    for (const directory of directories) {
      yield* fs.readDirectory(directory).pipe(
        Effect.flatMap((entries) => (entries.length === 0 ? fs.remove(directory, { recursive: true }) : Effect.void)),
        Effect.ignore
      )
    }
  })

// ---- the files ----------------------------------------------------------------------------------------------

const checkNames = ({ directory }: Stage, names: ReadonlyArray<string>): Effect.Effect<void, OutputFailed, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const name of names) {
      if (name === "" || name === "." || name === ".." || path.basename(name) !== name) {
        return yield* new OutputFailed({ file: name, reason: "this is not a plain file name" })
      }
      const target = path.join(directory, name)
      const there = yield* fs.stat(target).pipe(
        Effect.map(({ type }) => type),
        Effect.catchIf(
          ({ reason }) => reason._tag === "NotFound",
          () => Effect.succeed("File")
        ),
        Effect.mapError(outputFailed(target))
      )
      if (there === "Directory") return yield* new OutputFailed({ file: target, reason: "a directory has this name" })
    }
  })

const write = (stage: Stage, name: string, content: string | Uint8Array): Effect.Effect<void, OutputFailed, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(stage.temporary, `new-${name}`)
    const written = typeof content === "string" ? fs.writeFileString(file, content) : fs.writeFile(file, content)
    yield* written.pipe(Effect.mapError(outputFailed(path.join(stage.directory, name))))
  })

/** Renames the files into place one after the other; when one fails, those before it are taken back, the last one first. */
const publish = (stage: Stage, names: ReadonlyArray<string>): Effect.Effect<void, OutputFailed, Machine> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const [name, ...rest] = names
    if (name === undefined) return
    const target = path.join(stage.directory, name)
    const kept = path.join(stage.temporary, `old-${name}`)
    const fresh = path.join(stage.temporary, `new-${name}`)
    const failed = Effect.mapError(outputFailed(target))

    const existed = yield* failed(fs.exists(target))
    const restore = existed ? Effect.ignore(fs.rename(kept, target)) : Effect.void
    if (existed) yield* failed(fs.rename(target, kept))
    yield* failed(fs.rename(fresh, target)).pipe(Effect.onError(() => restore))
    yield* publish(stage, rest).pipe(
      Effect.onError(() => Effect.andThen(Effect.ignore(fs.rename(target, fresh)), restore))
    )
  })

/** Says in the user's words what the machine answered. */
const outputFailed =
  (file: string) =>
  (error: PlatformError.PlatformError): OutputFailed => {
    const words: Readonly<Record<string, string>> = {
      AlreadyExists: "a file, not a directory, has this name",
      BadResource: "a part of the path is a file, not a directory",
      PermissionDenied: "permission denied, or the place is read-only"
    }
    return new OutputFailed({ file, reason: words[error.reason._tag] ?? error.reason.description ?? error.message })
  }

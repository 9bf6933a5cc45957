/**
 * Effect's FileSystem on Node's `fs/promises`, with the operations that breve's commands use; the others fail and say so.
 *
 * The package @effect/platform-node has all of them but needs Node 22. An operation that has begun is awaited even when its fiber is
 * interrupted, so that cleaning up never races with it.
 *
 * Room: cli (level 6). Imports: effect, node:fs, node:os, node:path.
 */
import { type BigIntStats, constants } from "node:fs"
import * as fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ByteSize, Effect, FileSystem, Layer, Option, PlatformError, Stream } from "effect"

// ---- errors -------------------------------------------------------------------------------------------------

/** Node's error codes by Effect's names. */
const tags: Readonly<Record<string, PlatformError.SystemErrorTag>> = {
  EACCES: "PermissionDenied",
  EBUSY: "Busy",
  EEXIST: "AlreadyExists",
  EISDIR: "BadResource",
  ELOOP: "BadResource",
  ENOENT: "NotFound",
  ENOTDIR: "BadResource",
  EPERM: "PermissionDenied",
  EROFS: "PermissionDenied"
}

const failed = (method: string, path: string, cause: unknown): PlatformError.PlatformError => {
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause))
  return PlatformError.systemError({
    _tag: tags[error.code ?? ""] ?? "Unknown",
    module: "FileSystem",
    method,
    pathOrDescriptor: path,
    syscall: error.syscall,
    description: error.message,
    cause
  })
}

const attempt = <A>(
  method: string,
  path: string,
  run: () => Promise<A>
): Effect.Effect<A, PlatformError.PlatformError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: run, catch: (cause) => failed(method, path, cause) }))

const refused = (method: string): PlatformError.PlatformError =>
  PlatformError.badArgument({
    module: "FileSystem",
    method,
    description: "breve's file system for Node does not offer this operation"
  })

const unsupported = (method: string) => (): Effect.Effect<never, PlatformError.PlatformError> =>
  Effect.fail(refused(method))

// ---- what a file is -----------------------------------------------------------------------------------------

const typeOf = (stats: Pick<BigIntStats, "isFile" | "isDirectory" | "isSymbolicLink">): FileSystem.File.Type =>
  stats.isFile() ? "File" : stats.isDirectory() ? "Directory" : stats.isSymbolicLink() ? "SymbolicLink" : "Unknown"

const info = (stats: BigIntStats): FileSystem.File.Info => ({
  type: typeOf(stats),
  mtime: Option.some(stats.mtime),
  atime: Option.some(stats.atime),
  birthtime: Option.some(stats.birthtime),
  dev: stats.dev,
  ino: Option.some(stats.ino),
  mode: Number(stats.mode),
  nlink: Option.some(stats.nlink),
  uid: Option.some(Number(stats.uid)),
  gid: Option.some(Number(stats.gid)),
  rdev: Option.some(stats.rdev),
  size: ByteSize.bytes(stats.size),
  blksize: Option.some(ByteSize.bytes(stats.blksize)),
  blocks: Option.some(stats.blocks)
})

// ---- the service --------------------------------------------------------------------------------------------

const makeTempDirectory: FileSystem.FileSystem["makeTempDirectory"] = (options = {}) => {
  const start = join(options.directory ?? tmpdir(), options.prefix ?? "")
  return attempt("makeTempDirectory", start, () => fs.mkdtemp(options.prefix ? start : `${start}/`))
}

const remove: FileSystem.FileSystem["remove"] = (path, options = {}) =>
  attempt("remove", path, () => fs.rm(path, { recursive: options.recursive ?? false, force: options.force ?? false }))

/** What exists of effect's FileSystem here; `exists`, `readFileString` and `writeFileString` follow from it. */
export const make: FileSystem.FileSystem = FileSystem.make({
  access: (path, options = {}) =>
    attempt("access", path, () =>
      fs.access(path, (options.readable ? constants.R_OK : 0) | (options.writable ? constants.W_OK : 0))
    ),
  stat: (path) => attempt("stat", path, async () => info(await fs.stat(path, { bigint: true }))),
  lstat: (path) => attempt("lstat", path, async () => info(await fs.lstat(path, { bigint: true }))),
  readFile: (path) => attempt("readFile", path, async () => new Uint8Array(await fs.readFile(path))),
  writeFile: (path, data, options = {}) =>
    attempt("writeFile", path, () =>
      fs.writeFile(path, data, { flag: options.flag ?? "w", mode: options.mode ?? 0o666 })
    ),
  readDirectory: (path, options = {}) =>
    attempt("readDirectory", path, () => fs.readdir(path, { recursive: options.recursive ?? false })),
  readDirectoryEntries: (path) =>
    attempt("readDirectoryEntries", path, async () =>
      (await fs.readdir(path, { withFileTypes: true })).map((entry) => ({ name: entry.name, type: typeOf(entry) }))
    ),
  makeDirectory: (path, options = {}) =>
    attempt("makeDirectory", path, async () => {
      await fs.mkdir(path, { recursive: options.recursive ?? false, mode: options.mode ?? 0o777 })
    }),
  makeTempDirectory,
  makeTempDirectoryScoped: (options) =>
    Effect.acquireRelease(makeTempDirectory(options), (path) =>
      Effect.ignore(remove(path, { recursive: true, force: true }))
    ),
  remove,
  rename: (from, to) => attempt("rename", to, () => fs.rename(from, to)),
  chmod: unsupported("chmod"),
  chown: unsupported("chown"),
  copy: unsupported("copy"),
  copyFile: unsupported("copyFile"),
  link: unsupported("link"),
  makeTempFile: unsupported("makeTempFile"),
  makeTempFileScoped: unsupported("makeTempFileScoped"),
  open: unsupported("open"),
  readLink: unsupported("readLink"),
  realPath: unsupported("realPath"),
  symlink: unsupported("symlink"),
  truncate: unsupported("truncate"),
  utimes: unsupported("utimes"),
  watch: () => Stream.fail(refused("watch"))
})

/** Provides the file system of this machine. */
export const layer: Layer.Layer<FileSystem.FileSystem> = Layer.succeed(FileSystem.FileSystem, make)

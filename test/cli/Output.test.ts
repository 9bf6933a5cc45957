/** Output.ts: all files or none, whatever goes wrong, and nothing left behind. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Deferred, Effect, Fiber, FileSystem, Layer, Path, PlatformError } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as NodeFiles from "../../src/cli/NodeFiles.ts"
import * as Output from "../../src/cli/Output.ts"
import { OutputFailed } from "../../src/tensor/Errors.ts"

const machine = Layer.merge(NodeFiles.layer, Path.layer)
const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | Path.Path>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, machine))

/** The machine with some operations replaced. */
const runWith = <A, E>(
  changed: Partial<FileSystem.FileSystem>,
  effect: Effect.Effect<A, E, FileSystem.FileSystem | Path.Path>
): Promise<A> =>
  Effect.runPromise(
    effect.pipe(
      Effect.provideService(FileSystem.FileSystem, { ...NodeFiles.make, ...changed }),
      Effect.provide(Path.layer)
    )
  )

const full = (path: string): PlatformError.PlatformError =>
  PlatformError.systemError({
    _tag: "Unknown",
    module: "FileSystem",
    method: "test",
    pathOrDescriptor: path,
    description: "no space left on device"
  })

const state = { root: "" }
beforeEach(async () => {
  state.root = await mkdtemp(join(tmpdir(), "breve-test-"))
})
afterEach(() => rm(state.root, { recursive: true, force: true }))
const at = (...parts: ReadonlyArray<string>): string => join(state.root, ...parts)
const tree = async (): Promise<ReadonlyArray<string>> => (await readdir(state.root, { recursive: true })).sort()

describe("Output.writeAll", () => {
  it("writes texts and bytes into a directory that it makes", async () => {
    await run(Output.writeAll(at("a", "b"), { "report.html": "<p>é</p>", "model.bin": Uint8Array.of(0, 255) }))
    expect(await tree()).toEqual(["a", "a/b", "a/b/model.bin", "a/b/report.html"])
    expect(await readFile(at("a", "b", "report.html"), "utf8")).toBe("<p>é</p>")
    expect([...(await readFile(at("a", "b", "model.bin")))]).toEqual([0, 255])
  })

  it("replaces files of the same names and leaves others alone", async () => {
    await writeFile(at("x"), "old")
    await writeFile(at("y"), "other")
    await run(Output.writeAll(state.root, { x: "new" }))
    expect(await tree()).toEqual(["x", "y"])
    expect(await readFile(at("x"), "utf8")).toBe("new")
    expect(await readFile(at("y"), "utf8")).toBe("other")
  })

  it("makes the directory even when there is nothing to write", async () => {
    await run(Output.writeAll(at("empty"), {}))
    expect(await tree()).toEqual(["empty"])
  })

  it("changes nothing when a file cannot be written", async () => {
    await writeFile(at("one"), "old")
    const writeFileString: FileSystem.FileSystem["writeFileString"] = (path, data, options) =>
      path.endsWith("two") ? Effect.fail(full(path)) : NodeFiles.make.writeFileString(path, data, options)
    const error = await runWith(
      { writeFileString },
      Effect.flip(Output.writeAll(state.root, { one: "new", two: "new" }))
    )
    expect(error).toBeInstanceOf(OutputFailed)
    expect(error.message).toBe(`cannot write ${at("two")}: no space left on device`)
    expect(await tree()).toEqual(["one"])
    expect(await readFile(at("one"), "utf8")).toBe("old")
  })

  it.each(["zero", "one", "two"])("puts everything back when %s cannot be renamed into place", async (bad) => {
    await writeFile(at("zero"), "old zero")
    await writeFile(at("two"), "old two")
    const rename: FileSystem.FileSystem["rename"] = (from, to) =>
      from.endsWith(`new-${bad}`) ? Effect.fail(full(to)) : NodeFiles.make.rename(from, to)
    const error = await runWith(
      { rename },
      Effect.flip(Output.writeAll(state.root, { zero: "new", one: "new", two: "new" }))
    )
    expect(error.file).toBe(at(bad))
    expect(await tree()).toEqual(["two", "zero"])
    expect(await readFile(at("zero"), "utf8")).toBe("old zero")
    expect(await readFile(at("two"), "utf8")).toBe("old two")
  })

  it("removes the directories that it made, when it fails", async () => {
    const error = await runWith(
      { writeFileString: (path) => Effect.fail(full(path)) },
      Effect.flip(Output.writeAll(at("a", "b"), { x: "new" }))
    )
    expect(error.file).toBe(at("a", "b", "x"))
    expect(await tree()).toEqual([])
  })

  it("keeps a directory that it made, when someone else has put a file there", async () => {
    const writeFileString: FileSystem.FileSystem["writeFileString"] = (path) =>
      Effect.andThen(NodeFiles.make.writeFileString(at("a", "theirs"), ""), Effect.fail(full(path)))
    await runWith({ writeFileString }, Effect.flip(Output.writeAll(at("a", "b"), { x: "new" })))
    expect(await tree()).toEqual(["a", "a/theirs"])
  })

  it("changes nothing when it is interrupted", async () => {
    await writeFile(at("one"), "old")
    const program = Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const writeFileString: FileSystem.FileSystem["writeFileString"] = (path, data, options) =>
        path.endsWith("two")
          ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
          : NodeFiles.make.writeFileString(path, data, options)
      const fiber = yield* Effect.forkChild(
        Output.writeAll(state.root, { one: "new", two: "new" }).pipe(
          Effect.provideService(FileSystem.FileSystem, { ...NodeFiles.make, writeFileString })
        )
      )
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(fiber)
    })
    await run(program)
    expect(await tree()).toEqual(["one"])
    expect(await readFile(at("one"), "utf8")).toBe("old")
  })

  it("refuses names that are not plain file names, and names of directories", async () => {
    await mkdir(at("sub"))
    for (const name of ["", "..", "a/b", "../up"]) {
      const error = await run(Effect.flip(Output.writeAll(state.root, { ok: "", [name]: "" })))
      expect(error).toEqual(new OutputFailed({ file: name, reason: "this is not a plain file name" }))
    }
    const error = await run(Effect.flip(Output.writeAll(state.root, { ok: "", sub: "" })))
    expect(error).toEqual(new OutputFailed({ file: at("sub"), reason: "a directory has this name" }))
    expect(await tree()).toEqual(["sub"])
  })
})

describe("Output.check", () => {
  it("leaves nothing behind where writing would work", async () => {
    await run(Output.check(at("a", "b"), ["report.html"]))
    expect(await tree()).toEqual([])
    await run(Output.check(state.root))
    expect(await tree()).toEqual([])
  })

  it("fails where it would not, and leaves nothing behind either", async () => {
    await writeFile(at("file"), "")
    await mkdir(at("sub"))
    const flip = (directory: string, names?: ReadonlyArray<string>): Promise<OutputFailed> =>
      run(Effect.flip(Output.check(directory, names)))
    expect((await flip(at("file"))).message).toBe(`cannot write ${at("file")}: a file, not a directory, has this name`)
    expect((await flip(at("file", "below"))).reason).toBe("a part of the path is a file, not a directory")
    expect((await flip(at("made", "x".repeat(300)))).reason).toContain("ENAMETOOLONG")
    expect((await flip(state.root, ["sub"])).reason).toBe("a directory has this name")
    expect(await tree()).toEqual(["file", "sub"])
  })

  it("says so when permission is denied", async () => {
    const denied = PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "test" })
    const error = await runWith(
      { makeTempDirectory: () => Effect.fail(denied) },
      Effect.flip(Output.check(at("a", "b")))
    )
    expect(error).toEqual(
      new OutputFailed({ file: at("a", "b"), reason: "permission denied, or the place is read-only" })
    )
    expect(await tree()).toEqual([])
  })

  it("follows a link to a directory", async () => {
    await mkdir(at("real"))
    await symlink(at("real"), at("link"))
    await run(Output.writeAll(at("link"), { x: "1" }))
    expect(await readFile(at("real", "x"), "utf8")).toBe("1")
  })
})

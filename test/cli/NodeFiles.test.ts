/** NodeFiles.ts: each operation on real files in a temporary directory, and the errors that it answers. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ByteSize, Effect, Exit, type PlatformError, Stream } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { make as fs } from "../../src/cli/NodeFiles.ts"

const state = { root: "" }
beforeEach(async () => {
  state.root = await mkdtemp(join(tmpdir(), "breve-test-"))
})
afterEach(() => rm(state.root, { recursive: true, force: true }))
const at = (...parts: ReadonlyArray<string>): string => join(state.root, ...parts)
const run = Effect.runPromise
const flip = <A>(effect: Effect.Effect<A, PlatformError.PlatformError>): Promise<PlatformError.PlatformError> =>
  Effect.runPromise(Effect.flip(effect))

describe("NodeFiles", () => {
  it("writes, reads, finds, moves and removes files", async () => {
    await run(fs.writeFileString(at("a"), "grüß"))
    expect(await run(fs.readFileString(at("a")))).toBe("grüß")
    await run(fs.writeFile(at("a"), Uint8Array.of(1, 2)))
    expect(await run(fs.readFile(at("a")))).toEqual(Uint8Array.of(1, 2))
    await run(fs.rename(at("a"), at("b")))
    expect([await run(fs.exists(at("a"))), await run(fs.exists(at("b")))]).toEqual([false, true])
    await run(fs.access(at("b"), { readable: true, writable: true }))
    await run(fs.remove(at("b")))
    expect(await run(fs.exists(at("b")))).toBe(false)
    await run(fs.remove(at("b"), { force: true }))
  })

  it("respects flags", async () => {
    await run(fs.writeFileString(at("a"), "1"))
    await run(fs.writeFileString(at("a"), "2", { flag: "a" }))
    expect(await run(fs.readFileString(at("a")))).toBe("12")
    expect((await flip(fs.writeFileString(at("a"), "3", { flag: "wx" }))).reason._tag).toBe("AlreadyExists")
  })

  it("makes, lists and removes directories", async () => {
    await run(fs.makeDirectory(at("x", "y"), { recursive: true }))
    await run(fs.writeFileString(at("x", "f"), ""))
    expect((await run(fs.readDirectory(state.root, { recursive: true }))).sort()).toEqual(["x", "x/f", "x/y"])
    const entries = await run(fs.readDirectoryEntries(at("x")))
    expect([...entries].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: "f", type: "File" },
      { name: "y", type: "Directory" }
    ])
    expect(await run(fs.glob("**/f", { root: state.root }))).toEqual(["x/f"])
    expect(Exit.isFailure(await Effect.runPromiseExit(fs.remove(at("x"))))).toBe(true)
    await run(fs.remove(at("x"), { recursive: true }))
    expect(await run(fs.readDirectory(state.root))).toEqual([])
  })

  it("knows what a file is", async () => {
    await run(fs.writeFileString(at("a"), "12345"))
    const info = await run(fs.stat(at("a")))
    expect(info.type).toBe("File")
    expect(ByteSize.toBigInt(info.size)).toBe(5n)
    expect((await run(fs.stat(state.root))).type).toBe("Directory")
  })

  it("makes temporary directories with distinct names, the scoped ones for as long as their scope", async () => {
    const first = await run(fs.makeTempDirectory({ directory: state.root, prefix: "t-" }))
    const second = await run(fs.makeTempDirectory({ directory: state.root }))
    expect(first.startsWith(at("t-"))).toBe(true)
    expect(second).not.toBe(first)
    const scoped = await run(
      Effect.scoped(
        Effect.gen(function* () {
          const path = yield* fs.makeTempDirectoryScoped({ directory: state.root, prefix: "s-" })
          yield* fs.writeFileString(join(path, "inside"), "")
          return path
        })
      )
    )
    expect(await run(fs.exists(scoped))).toBe(false)
    expect(await run(fs.readDirectory(state.root))).toHaveLength(2)
  })

  it("answers typed errors that name the path", async () => {
    const missing = await flip(fs.readFile(at("nowhere")))
    expect(missing.reason).toMatchObject({ _tag: "NotFound", method: "readFile", pathOrDescriptor: at("nowhere") })
    await run(fs.writeFileString(at("file"), ""))
    expect((await flip(fs.stat(at("file", "below")))).reason._tag).toBe("BadResource")
    expect((await flip(fs.readFile(state.root))).reason._tag).toBe("BadResource")
    expect((await flip(fs.makeDirectory(at("file")))).reason._tag).toBe("AlreadyExists")
  })

  it("says of operations that it does not offer that it does not offer them", async () => {
    for (const [name, effect] of Object.entries({
      copyFile: fs.copyFile("a", "b"),
      open: Effect.scoped(fs.open("a")),
      watch: Stream.runDrain(fs.watch("a")),
      truncate: fs.truncate("a")
    })) {
      expect((await flip(effect)).message).toBe(
        `FileSystem.${name}: breve's file system for Node does not offer this operation`
      )
    }
  })
})

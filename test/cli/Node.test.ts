/** Node.ts: what the layer answers where nobody listens or types, and how a process ends. */
import { spawn } from "node:child_process"
import { Cause, Effect, Exit, FileSystem, Path, Queue, Runtime, Stdio, Terminal } from "effect"
import { Argument, Command, TerminalCapabilities } from "effect/cli"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { describe, expect, it } from "vitest"
import * as Node from "../../src/cli/Node.ts"
import { OutputFailed } from "../../src/tensor/Errors.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Command.Environment>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Node.layer))

describe("Node.layer", () => {
  it("has a file system and paths", async () => {
    const found = Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      return yield* fs.exists(path.join(".", "package.json"))
    })
    expect(await run(found)).toBe(true)
  })

  it("offers no input instead of waiting for some", async () => {
    const terminal = Effect.gen(function* () {
      const terminal = yield* Terminal.Terminal
      const line = yield* Effect.flip(terminal.readLine)
      const keys = yield* Effect.exit(Queue.take(yield* terminal.readInput))
      const sizes = yield* terminal.size
      const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
      return { line, keys, canPrompt, size: yield* Queue.take(sizes), columns: yield* terminal.columns }
    })
    const { line, keys, canPrompt, size, columns } = await run(Effect.scoped(terminal))
    expect(Terminal.isQuitError(line)).toBe(true)
    expect(Exit.isFailure(keys)).toBe(true)
    expect(canPrompt).toBe(false)
    expect(size.columns).toBe(columns)
    expect(columns).toBeGreaterThan(0)
  })

  it("starts no other process, and says so", async () => {
    const program = Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      return yield* Effect.flip(spawner.exitCode(ChildProcess.make("true")))
    })
    expect((await run(program)).message).toBe("ChildProcessSpawner.spawn: breve starts no other processes")
  })

  it("runs a command of effect's command line", async () => {
    const seen: Array<string> = []
    const command = Command.make("greet", { name: Argument.String("name") }, ({ name }) =>
      Effect.sync(() => {
        seen.push(name)
      })
    )
    await run(Command.runWith(command, { version: "1" })(["you"]))
    expect(seen).toEqual(["you"])
    expect(Array.isArray(await run(Stdio.Stdio.use(({ args }) => args)))).toBe(true)
  })
})

describe("Node.describe", () => {
  it("gives one line for a failure", () => {
    const error = new OutputFailed({ file: "out", reason: "no\n  room" })
    expect(Node.describe(Exit.fail(error))).toBe("breve: cannot write out: no room")
    expect(Node.describe(Exit.fail("plain"))).toBe("breve: plain")
    expect(Node.describe(Exit.fail(new Error("")))).toBe("breve: Error")
  })

  it("calls a defect a defect", () => {
    expect(Node.describe(Exit.die(new Error("oops")))).toBe("breve: unexpected failure, a defect of breve: oops")
  })

  it("has nothing to say after success, an interruption, or what was shown already", () => {
    expect(Node.describe(Exit.succeed(1))).toBeUndefined()
    expect(Node.describe(Exit.failCause(Cause.interrupt(1)))).toBeUndefined()
    expect(Node.describe(Exit.fail({ [Runtime.errorReported]: false }))).toBeUndefined()
  })
})

describe("Node.runMain", () => {
  const cwd = new URL("../..", import.meta.url)
  const program = (body: string): string => `
    import { Effect, Terminal } from "effect"
    import { Command } from "effect/cli"
    import * as Node from "./src/cli/Node.ts"
    const say = (text) => Terminal.Terminal.use((terminal) => terminal.display(text))
    Node.runMain(Effect.provide(${body}, Node.layer))`

  /** Runs a program in a process of its own; `signal` is sent when it has said "ready", and at every word after. */
  const execute = (body: string, signal?: NodeJS.Signals) =>
    new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => {
      const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program(body)], { cwd })
      const said = { stdout: "", stderr: "" }
      child.stdout.on("data", (data) => {
        said.stdout += data
        if (signal !== undefined && said.stdout.includes("ready")) child.kill(signal)
      })
      child.stderr.on("data", (data) => {
        said.stderr += data
      })
      child.on("close", (code) => resolve({ code, ...said }))
    })

  it("ends with 0 after success", async () => {
    expect(await execute(`say("done\\n")`)).toEqual({ code: 0, stdout: "done\n", stderr: "" })
  })

  it("ends with 1 and one line after a failure, and with no stack", async () => {
    const body = `Effect.andThen(say("so far\\n"), Effect.fail(new Error("the disk\\nis full")))`
    expect(await execute(body)).toEqual({ code: 1, stdout: "so far\n", stderr: "breve: the disk is full\n" })
  })

  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends with 130 after %s, once or twice, when the finalizers have run",
    async (signal) => {
      const finalizer = `Effect.andThen(Effect.sleep(50), Effect.orDie(say("cleaned\\n")))`
      const body = `Effect.ensuring(Effect.andThen(say("ready\\n"), Effect.never), ${finalizer})`
      expect(await execute(body, signal)).toEqual({ code: 130, stdout: "ready\ncleaned\n", stderr: "" })
    }
  )

  it("leaves it to effect's command line to explain wrong arguments", async () => {
    const { code, stderr } = await execute(`Command.runWith(Command.make("x"), { version: "1" })(["--wrong"])`)
    expect(code).toBe(1)
    expect(stderr).toContain("--wrong")
    expect(stderr).not.toContain("breve:")
  })
})

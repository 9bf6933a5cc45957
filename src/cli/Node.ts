/**
 * What effect's command line needs from the machine, for Node 20.19 and later, and the one place that runs a program.
 *
 * Output is real; input is not offered: commands take everything from their arguments. So `readLine` answers that the input has
 * ended, `readInput` is a queue that has ended, `canPrompt` is false, and starting another process fails.
 *
 * Room: cli (level 6). Imports: effect, ./NodeFiles. Source of the runner: effect's own NodeRuntime.
 */
import type { Writable } from "node:stream"
import { Cause, Effect, Exit, Layer, Path, PlatformError, Queue, Runtime, Sink, Stdio, Stream, Terminal } from "effect"
import { type Command, TerminalCapabilities } from "effect/cli"
import { ChildProcessSpawner } from "effect/process"
import * as NodeFiles from "./NodeFiles.ts"

// ---- output -------------------------------------------------------------------------------------------------

/** Writes and waits until the system took it; a closed pipe is a typed error instead of a crash. */
const write = (
  stream: Writable,
  name: string,
  text: string | Uint8Array
): Effect.Effect<void, PlatformError.PlatformError> =>
  Effect.callback((resume) => {
    if (!stream.listeners("error").includes(heard)) stream.on("error", heard)
    stream.write(text, (error) => resume(error ? Effect.fail(failed(name, error)) : Effect.void))
  })

/** Node ends the process when nobody listens to a stream's errors; ours come back from `write`. It stays, as the streams do. */
const heard = (): void => {}

const failed = (method: string, cause: unknown): PlatformError.PlatformError =>
  PlatformError.systemError({
    _tag: "Unknown",
    module: "Stdio",
    method,
    description: cause instanceof Error ? cause.message : String(cause),
    cause
  })

const sink = (
  stream: Writable,
  name: string
): Sink.Sink<void, string | Uint8Array, never, PlatformError.PlatformError> => {
  const put = (text: string | Uint8Array): Effect.Effect<void, PlatformError.PlatformError> => write(stream, name, text)
  return Sink.forEach(put)
}

// ---- layers -------------------------------------------------------------------------------------------------

/** Arguments after the program's name, and the three standard streams. */
const stdio: Layer.Layer<Stdio.Stdio> = Layer.succeed(
  Stdio.Stdio,
  Stdio.make({
    args: Effect.sync(() => process.argv.slice(2)),
    stdinIsTerminal: Effect.sync(() => process.stdin.isTTY === true),
    stdoutIsTerminal: Effect.sync(() => process.stdout.isTTY === true),
    stderrIsTerminal: Effect.sync(() => process.stderr.isTTY === true),
    stdout: () => sink(process.stdout, "stdout"),
    stderr: () => sink(process.stderr, "stderr"),
    stdin: Stream.suspend(() =>
      Stream.fromAsyncIterable<Uint8Array, PlatformError.PlatformError>(process.stdin, (cause) =>
        failed("stdin", cause)
      )
    )
  })
)

/** The terminal's size now; 80 x 24, the customary one, where there is no terminal or it does not know (says 0). */
const size = (): Terminal.Size => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 })

const terminal: Layer.Layer<Terminal.Terminal> = Layer.succeed(
  Terminal.Terminal,
  Terminal.make({
    columns: Effect.sync(() => size().columns),
    rows: Effect.sync(() => size().rows),
    size: Effect.gen(function* () {
      const sizes = yield* Queue.sliding<Terminal.Size, Cause.Done>(1)
      const offer = (): boolean => Queue.offerUnsafe(sizes, size())
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          offer()
          process.stdout.on("resize", offer)
        }),
        () =>
          Effect.andThen(
            Effect.sync(() => process.stdout.off("resize", offer)),
            Queue.end(sizes)
          )
      )
      return Queue.asDequeue(sizes)
    }),
    readInput: Effect.gen(function* () {
      const none = yield* Queue.unbounded<Terminal.UserInput, Cause.Done>()
      yield* Queue.end(none)
      return Queue.asDequeue(none)
    }),
    readLine: Effect.fail(new Terminal.QuitError()),
    display: (text) => write(process.stdout, "display", text)
  })
)

const spawner: Layer.Layer<ChildProcessSpawner.ChildProcessSpawner> = Layer.succeed(
  ChildProcessSpawner.ChildProcessSpawner,
  ChildProcessSpawner.make(() =>
    Effect.fail(
      PlatformError.badArgument({
        module: "ChildProcessSpawner",
        method: "spawn",
        description: "breve starts no other processes"
      })
    )
  )
)

/** Whether to colour and redraw is found out from the environment; asking questions is out. */
const capabilities: Layer.Layer<never> = Layer.effect(
  TerminalCapabilities.TerminalCapabilities,
  Effect.map(Effect.provide(TerminalCapabilities.TerminalCapabilities, TerminalCapabilities.layer), (found) => ({
    ...found,
    canPrompt: false
  }))
).pipe(Layer.provide(stdio))

/** Everything that a command of effect's command line asks for. */
export const layer: Layer.Layer<Command.Environment> = Layer.mergeAll(
  NodeFiles.layer,
  Path.layer,
  stdio,
  terminal,
  spawner,
  capabilities
)

// ---- the rim ------------------------------------------------------------------------------------------------

/** The one line that a user sees of a failure; none after success, after an interruption, or when the error was shown already. */
export const describe = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return undefined
  const error = Cause.squash(exit.cause)
  if (!Runtime.getErrorReported(error)) return undefined
  const text = error instanceof Error ? error.message || error.name : String(error)
  const line = text.trim().replace(/\s*\n\s*/g, " ")
  return Cause.hasDies(exit.cause) ? `breve: unexpected failure, a defect of breve: ${line}` : `breve: ${line}`
}

/**
 * Runs a program. SIGINT and SIGTERM interrupt it; its finalizers run before the process ends. Exit status: 0 after success, 130
 * after an interruption, otherwise 1 (or what the error asks for) with one line on standard error.
 *
 * A second signal does not cut the finalizers short, nor change the exit status: npm passes on the Ctrl-C that the terminal has
 * already sent to everyone.
 */
export const runMain: <A, E>(effect: Effect.Effect<A, E>) => void = (effect) =>
  Runtime.makeRunMain(({ fiber, teardown }) => {
    const interrupt = (): void => fiber.interruptUnsafe(fiber.id)
    process.on("SIGINT", interrupt)
    process.on("SIGTERM", interrupt)
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) {
        process.off("SIGINT", interrupt)
        process.off("SIGTERM", interrupt)
      }
      teardown(exit, (code) => {
        process.exitCode = code
        if (code !== 0) process.exit(code)
      })
    })
  })(effect, {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const line = describe(exit)
      if (line === undefined) return Runtime.defaultTeardown(exit, onExit)
      process.stderr.on("error", heard)
      process.stderr.write(`${line}\n`, () => Runtime.defaultTeardown(exit, onExit))
    }
  })

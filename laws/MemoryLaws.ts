/**
 * The laws of memory: whatever a program does, whether it succeeds, fails or is interrupted, in the end there are as many tensors, bytes
 * and pieces of the backend's data as before.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Exit, Fiber, type Scope } from "effect"
import * as fc from "fast-check"
import { call, type Kernel, outcome } from "./KernelLaws.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

/** How a program should end. */
export type Fate = "succeeds" | "fails"

/** What the laws are about. */
export interface Program {
  readonly name: string
  /** what it does in a Scope; it may yield wherever it can be interrupted */
  readonly run: (fate: Fate, seed: number) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** why it cannot fail in a way of its own; absent: it can */
  readonly unfailing?: string
}

// ---- counting -----------------------------------------------------------------------------------------------

interface Count {
  readonly tensors: number
  readonly bytes: number
  readonly data: number
}

const counted = (): Count => {
  const { numTensors, numBytes } = tf.memory()
  return { tensors: numTensors, bytes: numBytes, data: tf.engine().backend.numDataIds() }
}

const left = (before: Count): Law.Holds => {
  const now = counted()
  const more = [
    [now.tensors - before.tensors, "tensors"],
    [now.bytes - before.bytes, "bytes"],
    [now.data - before.data, "pieces of data"]
  ].filter(([count]) => count !== 0)
  return more.length === 0 || `${more.map(([count, what]) => `${count} ${what}`).join(", ")} are left`
}

const seed = fc.nat(1000)

/** Lets every fiber that can run do so. */
const turn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const ended = (program: Effect.Effect<unknown, unknown, Scope.Scope>): Effect.Effect<Exit.Exit<unknown, unknown>> =>
  Effect.exit(Effect.scoped(program))

// ---- laws ---------------------------------------------------------------------------------------------------

/** Nothing is left of what succeeded. */
export const succeeding: Law.Law<Program> = Law.forAllAsync(
  { name: "nothing is left of what succeeds", states: "memory after scoped(p) = memory before", weight: 4 },
  { seed },
  async ({ run }, { seed }) => {
    const before = counted()
    const exit = await Effect.runPromise(ended(run("succeeds", seed)))
    return Exit.isSuccess(exit) ? left(before) : `it should have succeeded: ${exit.cause}`
  }
)

/** Nothing is left of what failed. */
export const failing: Law.Law<Program> = Law.forAllAsync(
  {
    name: "nothing is left of what fails",
    states: "memory after a failure of scoped(p) = memory before",
    weight: 4,
    claimed: "programs that can fail",
    unclaimed: ({ unfailing }) => unfailing
  },
  { seed },
  async ({ run }, { seed }) => {
    const before = counted()
    const exit = await Effect.runPromise(ended(run("fails", seed)))
    return Exit.isFailure(exit) ? left(before) : "it should have failed"
  }
)

/** Nothing is left of what was interrupted, wherever it was. */
export const interrupted: Law.Law<Program> = Law.forAllAsync(
  {
    name: "nothing is left of what is interrupted",
    states: "memory after interrupt(scoped(p)) = memory before",
    weight: 4
  },
  { seed, turns: fc.nat(6) },
  async ({ run }, { seed, turns }) => {
    const before = counted()
    await Effect.runPromise(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(ended(run("succeeds", seed)))
        for (let i = 0; i < turns; i++) yield* turn
        yield* Fiber.interrupt(fiber)
      })
    )
    return left(before)
  }
)

/** Nothing piles up: a program that has run ten times leaves what it leaves after one. */
export const repeated: Law.Law<Program> = Law.forAllAsync(
  { name: "nothing piles up", states: "memory after scoped(p)^10 = memory before", weight: 20 },
  { seed },
  async ({ run }, { seed }) => {
    const before = counted()
    for (let i = 0; i < 10; i++) await Effect.runPromise(ended(run("succeeds", seed + i)))
    return left(before)
  }
)

/** Every law of programs. */
export const all: ReadonlyArray<Law.Law<Program>> = [succeeding, failing, interrupted, repeated]

/** An operation leaves nothing with the backend but what it answers, nor do its gradients. */
export const operations: Law.Law<Kernel> = Law.forAll(
  { name: "an operation leaves nothing", states: "memory after tidy(op(x), d op(x)) = memory before" },
  { call },
  ({ make }, { call }) => {
    const before = counted()
    tf.tidy(() => {
      const { inputs, op } = make(call)
      outcome(op, inputs, call.seed)
    })
    return left(before)
  }
)

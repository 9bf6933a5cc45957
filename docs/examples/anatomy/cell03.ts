import { Backend } from "breve"
import { Effect, type Scope } from "effect"

/** Starts TensorFlow.js, runs a program on it, and releases what the program acquired. */
export const onBackend = <A, E>(program: Effect.Effect<A, E, Backend.Backend | Scope.Scope>) =>
  program.pipe(Effect.scoped, Effect.provide(Backend.layer))

export const run = onBackend(Backend.Backend)

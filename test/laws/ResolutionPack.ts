/**
 * Resolutions that keep their laws, and for each law one that does not.
 */
import { Effect, Exit, Scope } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as ResolutionLaws from "../../laws/ResolutionLaws.ts"
import type * as Injector from "../../src/inject/Injector.ts"
import { CircularDependency, type ResolutionError } from "../../src/tensor/Errors.ts"
import type { Pack } from "./Pack.ts"

type Resolver = ResolutionLaws.Resolver
const { resolve } = ResolutionLaws.resolver

/** Answers what was found before. */
const remembering = (): Resolver["resolve"] => {
  const known = new WeakMap<Injector.Any, Map<string, unknown>>()
  return (a, name) =>
    Effect.suspend(() => {
      const answers = known.get(a) ?? new Map<string, unknown>()
      known.set(a, answers)
      if (answers.has(name)) return Effect.succeed(answers.get(name))
      return Effect.tap(resolve(a, name), (found) => Effect.sync(() => answers.set(name, found)))
    })
}

/** One resolution at a time may be on its way; others get what it gets. */
const joining = (): Resolver["resolve"] => {
  const running = { count: 0 }
  return (a, name) =>
    Effect.suspend(() => {
      running.count++
      const other = running.count > 1
      return Effect.ensuring(
        other ? Effect.succeed("busy") : resolve(a, name),
        Effect.sync(() => running.count--)
      )
    })
}

/** In a Scope of its own, which is closed as `close` says. */
const inScope =
  (close: (scope: Scope.Closeable) => Effect.Effect<void>): Resolver["resolve"] =>
  (a, name) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      return yield* Effect.onExit(Scope.provide(resolve(a, name), scope), () => close(scope))
    })

const failing = (): Resolver["resolve"] => {
  const times = { failed: 0 }
  return (a, name) =>
    Effect.onError(
      Effect.suspend(() => (times.failed % 2 === 1 ? Effect.succeed("mended") : resolve(a, name))),
      () => Effect.sync(() => times.failed++)
    )
}

const renamedPath = (error: ResolutionError): ResolutionError =>
  error instanceof CircularDependency
    ? new CircularDependency({ injector: error.injector, path: [...error.path, ...error.path.slice(0, 1)] })
    : error

const oneMore = (found: unknown): unknown =>
  typeof found === "object" && found !== null && "part" in found ? { ...found, part: Number(found.part) + 1 } : found

const broken: ReadonlyArray<readonly [Law.Law<Resolver>, string, () => Resolver["resolve"]]> = [
  [ResolutionLaws.fresh, "answers what was found before", remembering],
  [ResolutionLaws.once, "resolves twice", () => (a, name) => Effect.andThen(resolve(a, name), resolve(a, name))],
  [
    ResolutionLaws.alike,
    "cannot wait",
    () => (a, name) => {
      const now = Effect.runSyncExit(Effect.scoped(resolve(a, name)))
      return Exit.isSuccess(now) ? resolve(a, name) : Effect.succeed("not yet")
    }
  ],
  [ResolutionLaws.independent, "one at a time", joining],
  [ResolutionLaws.released, "nothing is released", () => inScope(() => Effect.void)],
  [ResolutionLaws.released, "released at once", () => inScope((scope) => Scope.close(scope, Exit.void))],
  [ResolutionLaws.interrupted, "nothing is released", () => inScope(() => Effect.void)],
  [ResolutionLaws.harmless, "mended by itself", failing],
  [ResolutionLaws.stated, "ids are one more", () => (a, name) => Effect.map(resolve(a, name), oneMore)],
  [
    ResolutionLaws.linked,
    "copies",
    () => (a, name) =>
      Effect.map(resolve(a, name), (found) => (Array.isArray(found) ? found.map((one) => structuredClone(one)) : found))
  ],
  [
    ResolutionLaws.given,
    "nothing is null",
    () => (a, name) => Effect.map(resolve(a, name), (found) => found ?? undefined)
  ],
  [ResolutionLaws.led, "a lap too many", () => (a, name) => Effect.mapError(resolve(a, name), renamedPath)]
]

export const pack: Pack<Resolver> = {
  name: "ResolutionLaws",
  laws: ResolutionLaws.all,
  good: [["breve's resolution", Effect.succeed(ResolutionLaws.resolver)]],
  broken: broken.map(([law, how, resolve]) => [law, how, Effect.sync(() => ({ name: how, resolve: resolve() }))]),
  runs: 300
}

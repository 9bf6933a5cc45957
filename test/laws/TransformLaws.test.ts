import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as State from "../../src/nn/State.ts"
import { suite } from "./Suite.ts"
import { good, pack } from "./TransformPack.ts"

suite(pack)

/** Laws of a step that does nothing say nothing. */
describe("a good subject", () => {
  it.each(good.map((one) => [one.name, one] as const))("changes its model: %s", (_, { make, step }) =>
    Effect.gen(function* () {
      yield* Backend.Backend
      const given = yield* make(1)
      const next = yield* step(given, Effect.void)
      expect(yield* State.extract(next)).not.toEqual(yield* State.extract(given.model))
    }).pipe(Effect.scoped, Effect.provide(Backend.layer), Effect.runPromise)
  )
})

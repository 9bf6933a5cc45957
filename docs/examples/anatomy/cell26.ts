import { Effect } from "effect"
import { sharing } from "./cell25.ts"
import { scaleOf } from "./weights.ts"

export const run = Effect.gen(function* () {
  const { first, second } = yield* sharing
  return (yield* scaleOf(first))[0] === (yield* scaleOf(second))[0] // true
})

import { Change, Structure } from "breve"
import { Effect } from "effect"

/** Normalizations that are gone, as a file has it. */
export const example = Effect.gen(function* () {
  const changes = Change.placed("identity", [["norm1"], ["norm2"]]) ?? []
  return [Structure.encode(changes), yield* Structure.decode(Structure.encode(changes)), Change.placed("branch", [])]
})

export const shows = [
  '[{"change":"identity","at":[["norm1"],["norm2"]]}]',
  [{ change: "identity", at: [["norm1"], ["norm2"]] }],
  undefined
]

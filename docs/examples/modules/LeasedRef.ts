import { LeasedRef } from "breve"
import { Effect } from "effect"

/** A value that is replaced while it is in use: new readers get the new one at once, the old one is released after its last reader. */
export const example = Effect.gen(function* () {
  const released: Array<string> = []
  const value = (name: string) =>
    Effect.acquireRelease(Effect.succeed(name), () => Effect.sync(() => void released.push(name)))
  const ref = yield* LeasedRef.make(value("old"))
  const during = yield* LeasedRef.use(ref, (mine) =>
    Effect.map(LeasedRef.reload(ref, value("new")), () => ({
      mine,
      now: LeasedRef.current(ref),
      released: [...released]
    }))
  )
  return { during, after: [...released] }
})

export const shows = { during: { mine: "old", now: "new", released: [] }, after: ["old"] }

import { Injector } from "breve"
import { Effect, pipe } from "effect"

const Base = Injector.make("Base", {
  bitWidth: 8,
  signed: true,
  largest: Injector.value(
    ["bitWidth", "signed"],
    (bitWidth: number, signed: boolean) => 2 ** (bitWidth - Number(signed)) - 1
  )
})

/** A record that wires itself by matching names; `let` makes another one, and the first stays as it is. */
export const example = Effect.gen(function* () {
  const Small = pipe(Base, Injector.let({ bitWidth: 4 }))
  return [yield* Injector.resolve(Base, "largest"), yield* Injector.resolve(Small, "largest")]
})

export const shows = [127, 7]

import { Brick, Injector, ScaledInt } from "breve"
import { Effect } from "effect"

/** A new quantizer at each run; it lives as long as the surrounding Scope. */
export const quantizer = Injector.resolve(ScaledInt.Int8ActPerTensorFloat, "tensorQuant")

export const run = Effect.map(quantizer, (brick) => Brick.show(brick))

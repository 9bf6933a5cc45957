import { BinaryQuant, Injector, Scaling } from "breve"
import { Effect } from "effect"

const Incomplete = Injector.make("Incomplete", {
  tensorQuant: BinaryQuant.BinaryQuant,
  scalingImpl: Scaling.ConstScaling
})

/** A failure says what, where and the repair; its fields are data. Names known only to the program are checked as it runs. */
export const example = Effect.flip(Injector.resolveUnknown(Incomplete, ["tensorQuant"])).pipe(
  Effect.map((failure) => ({ tag: failure._tag, message: failure.message }))
)

export const shows = {
  tag: "MissingDependency",
  message: 'Incomplete has no attribute "scalingInit", needed by tensorQuant > scalingImpl; did you mean "scalingImpl"?'
}

/**
 * What the list of steps says of one of them: what it is for, the schema of its options, how it is made of them.
 *
 * Room: ptq (level 5). Imports: effect, the errors of `tensor`, types of its room. Laws: test/ptq/Recipe.test.ts.
 */
import { Result, Schema } from "effect"
import type { InvalidOptions } from "../tensor/LayerErrors.ts"
import { nearest } from "../tensor/Nearest.ts"
import type { NonFiniteWeights, UnknownLayer, UnknownStructure } from "../tensor/StepErrors.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type * as AbsorbBias from "./AbsorbBias.ts"
import type * as Allocate from "./Allocate.ts"
import type * as Layerwise from "./Layerwise.ts"
import type * as LowRank from "./LowRank.ts"
import type * as Ptq from "./Ptq.ts"
import type * as Rotate from "./Rotate.ts"
import type * as RoundLearning from "./RoundLearning.ts"
/** What a step of a recipe may fail with, apart from the stream. */
export type StepError =
  | Layerwise.StepError
  | RoundLearning.LearnError
  | AbsorbBias.AbsorbError
  | Rotate.RotateError
  | LowRank.LowRankError
  | Allocate.AllocateError
  | UnknownLayer
  | UnknownStructure
  | NonFiniteWeights
  | InvalidOptions
  | ResolutionError

/** What a step gets besides its options. */
export interface Context<E, R> extends Ptq.Reporting {
  readonly batches: Ptq.Batches<E, R>
}

type Make<Options> = <E, R>(options: Options, context: Context<E, R>) => Ptq.Step<StepError | E, R>

/** What is wrong with the options of a step. */
export interface Wrong {
  readonly option: string
  readonly reason: string
  readonly nearest: string | undefined
}

/** What a step is for; from the first rounding or correcting one on, the stored weights are no longer those of the float network. */
export type Kind = "preparing" | "observing" | "rounding" | "correcting"

/** A step by name: its options are checked before anything runs. */
export interface Entry {
  readonly kind: Kind
  readonly about: string
  readonly options: ReadonlyArray<string>
  readonly make: <E, R>(options: unknown, context: Context<E, R>) => Result.Result<Ptq.Step<StepError | E, R>, Wrong>
}

/** What no step of this name knows. */
const strangeIn = (given: unknown, known: ReadonlyArray<string>): Wrong | undefined => {
  const names = typeof given === "object" && given !== null ? Object.keys(given) : []
  const option = names.find((name) => !known.includes(name))
  if (option === undefined) return undefined
  const reason = `there is no option "${option}"; there is ${known.join(", ") || "none"}`
  return { option, reason, nearest: nearest(option, known) }
}

/** A step whose options are a schema; one that the schema does not have is refused by name. */
export const entry = <const Fields extends Schema.Struct.Fields>(
  kind: Kind,
  about: string,
  fields: Fields,
  make: Make<Schema.Struct<Fields>["Type"]>
): Entry => {
  const known = Object.keys(fields)
  const decode = Schema.decodeUnknownResult(
    Schema.Struct(fields) as unknown as Schema.Decoder<Schema.Struct<Fields>["Type"]>
  )
  return {
    kind,
    about,
    options: known,
    make: (options, context) => {
      const given = options ?? {}
      const strange = strangeIn(given, known)
      if (strange !== undefined) return Result.fail(strange)
      return Result.mapBoth(decode(given), {
        onFailure: ({ message }) => ({ option: "", reason: message.replace(/\s+/g, " "), nearest: undefined }),
        onSuccess: (decoded) => make(decoded, context)
      })
    }
  }
}

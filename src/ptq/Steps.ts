/**
 * The steps that recipes may name, each with the schema of its options: one line for each step.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, `tensor`, the steps of its room. Laws: test/ptq/Recipe.test.ts.
 */
import { Result, Schema } from "effect"
import * as Fork from "../nn/Fork.ts"
import * as Layer from "../nn/Layer.ts"
import { nearest, type ResolutionError, type UnknownLayer } from "../tensor/Errors.ts"
import * as BiasCorrection from "./BiasCorrection.ts"
import * as Calibrate from "./Calibrate.ts"
import * as Gpfq from "./Gpfq.ts"
import * as Gptq from "./Gptq.ts"
import type * as Layerwise from "./Layerwise.ts"
import * as Magr from "./Magr.ts"
import * as Pattern from "./Pattern.ts"
import type * as Ptq from "./Ptq.ts"
import * as Qronos from "./Qronos.ts"

/** What a step of a recipe may fail with, apart from the stream. */
export type StepError = Layerwise.StepError | UnknownLayer | ResolutionError

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

/** A step by name: its options are checked before anything runs. */
export interface Entry {
  readonly about: string
  readonly options: ReadonlyArray<string>
  readonly make: <E, R>(options: unknown, context: Context<E, R>) => Result.Result<Ptq.Step<StepError | E, R>, Wrong>
}

// ---- options ------------------------------------------------------------------------------------------------

const optional = Schema.optionalKey
const flag = optional(Schema.Boolean)
const positive = optional(Schema.Finite.check(Schema.isGreaterThan(0)))
const whole = optional(Schema.Int.check(Schema.isGreaterThan(0)))
const damping = optional(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)))
const network = { quantActivations: flag }

const strangeIn = (given: unknown, known: ReadonlyArray<string>): Wrong | undefined => {
  const names = typeof given === "object" && given !== null ? Object.keys(given) : []
  const option = names.find((name) => !known.includes(name))
  if (option === undefined) return undefined
  const reason = `there is no option "${option}"; there is ${known.join(", ") || "none"}`
  return { option, reason, nearest: nearest(option, known) }
}

const entry = <const Fields extends Schema.Struct.Fields>(
  about: string,
  fields: Fields,
  make: Make<Schema.Struct<Fields>["Type"]>
): Entry => {
  const known = Object.keys(fields)
  const decode = Schema.decodeUnknownResult(
    Schema.Struct(fields) as unknown as Schema.Decoder<Schema.Struct<Fields>["Type"]>
  )
  return {
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

// ---- the registry -------------------------------------------------------------------------------------------

/** Lets the quantizers of weights and biases with these names begin anew, for the weights as they are. */
const reinitialized =
  (match: string): Ptq.Step<ResolutionError> =>
  (model) =>
    Fork.requantized(model, (name, proxy) =>
      Layer.parameterSlots.includes(proxy.slot) && Pattern.fits(match, name) ? proxy.injector : undefined
    )

export const all: Readonly<Record<string, Entry>> = {
  calibrate: entry("activation quantizers learn from the float network", {}, (_, { batches, report }) =>
    Calibrate.calibrate(batches, { report })
  ),
  reinitialize: entry(
    "quantizers of weights and biases begin anew, for the weights as they are",
    { match: optional(Schema.NonEmptyString) },
    ({ match = "*" }) => reinitialized(match)
  ),
  magr: entry(
    "shrinks the largest magnitudes of weights",
    { alpha: positive, steps: whole, ...network },
    (options, { batches, report }) => Magr.magr(batches, { ...options, report })
  ),
  gptq: entry(
    "rounds weights, each error spread over the columns to come",
    { actOrder: flag, blocks: whole, damping, ...network },
    (options, { batches, report }) => Gptq.gptq(batches, { ...options, report })
  ),
  gpfq: entry(
    "rounds weights column by column against the float network's outputs",
    { actOrder: flag, original: flag, ...network },
    (options, { batches, report }) => Gpfq.gpfq(batches, { ...options, report })
  ),
  qronos: entry(
    "rounds weights, the errors of the inputs corrected first",
    { actOrder: flag, blocks: whole, damping, original: flag, ...network },
    (options, { batches, report }) => Qronos.qronos(batches, { ...options, report })
  ),
  biasCorrection: entry(
    "biases take back what quantization shifts outputs by",
    { create: flag },
    (options, { batches, report }) => BiasCorrection.correct(batches, { ...options, report })
  )
}

export const names: ReadonlyArray<string> = Object.keys(all)

/**
 * A quantizer of the catalogue as data: its name, and attributes of it that are otherwise.
 *
 * Room: ptq (level 5). Imports: effect, `inject`, `quant`, `tensor`. Laws: test/ptq/Recipe.test.ts.
 */
import { Schema } from "effect"
import * as Injector from "../inject/Injector.ts"
import * as Catalogue from "../quant/Catalogue.ts"
import { nearest } from "../tensor/Nearest.ts"
import { InvalidRecipe } from "../tensor/StepErrors.ts"

const Literal = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])

/** The fields of a quantizer as a file has it, for schemas that have more. */
export const fields = {
  /** an entry of the catalogue, or `null` for none */
  quantizer: Schema.NullOr(Schema.NonEmptyString),
  /** attributes of it that are otherwise: `{ "bitWidth": 4 }` */
  options: Schema.optionalKey(Schema.Record(Schema.String, Literal))
}

/** A quantizer as a file has it. */
export const Declared = Schema.Struct(fields)
export type Declared = (typeof Declared)["Type"]

/** The declaration that is meant. */
export const injectorOf = ({ quantizer, options = {} }: Declared): Injector.Any | null => {
  if (quantizer === null) return null
  const found = Catalogue.entries[quantizer] as Injector.Any
  return Object.keys(options).length === 0 ? found : Injector.let(found, options)
}

/** What is wrong with a quantizer that stands at a place of a recipe: a name that is not in the catalogue, options that are none. */
export const wrongIn = (recipe: string, declared: Declared, place: string): InvalidRecipe | undefined => {
  const { quantizer, options = {} } = declared
  const known = Object.keys(Catalogue.entries)
  if (quantizer !== null && !Object.hasOwn(Catalogue.entries, quantizer)) {
    const reason = `there is no quantizer "${quantizer}" in the catalogue`
    return new InvalidRecipe({ recipe, place: `${place}.quantizer`, reason, nearest: nearest(quantizer, known) })
  }
  const injector = injectorOf(declared)
  if (injector === null) return undefined
  const finding = Injector.diagnose(injector, ["tensorQuant", "signed"]).find(
    ({ kind, name }) => kind === "invalid" || (kind === "unused" && Object.hasOwn(options, name))
  )
  if (finding === undefined) return undefined
  const reason = `${quantizer}: ${finding.message}`
  return new InvalidRecipe({ recipe, place: `${place}.options`, reason, nearest: undefined })
}

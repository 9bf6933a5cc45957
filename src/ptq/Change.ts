/**
 * Changes of the structure of a model, as data: what steps have put where, without the numbers in it.
 *
 * Room: ptq (level 5). Imports: effect, `./Declared.ts`. Laws: test/ptq/Structure.test.ts.
 */
import { Schema } from "effect"
import * as Declared from "./Declared.ts"

/** The paths of a layer, or of several layers that get one and the same layer beside them. */
const places = Schema.Array(Schema.Array(Schema.String))

/** What takes the place of a layer: nothing that computes, or a model of it and of another layer. */
export const kinds = ["identity", "scaleBefore", "scaleAfter", "rotation", "branch"] as const
/** What takes the place of a layer. */
export type Kind = (typeof kinds)[number]

/** A change as a file has it. */
export const Change = Schema.Union([
  /** other layers in the place of some */
  Schema.Struct({ change: Schema.Literals(kinds), at: places }),
  /** other quantizers, by their names in the model */
  Schema.Struct({
    change: Schema.Literal("quantizers"),
    quantizers: Schema.Record(Schema.NonEmptyString, Declared.Declared)
  }),
  /** parameters that are new, or have another shape than before */
  Schema.Struct({
    change: Schema.Literal("parameters"),
    shapes: Schema.Record(Schema.NonEmptyString, Schema.Array(Schema.Int.check(Schema.isGreaterThan(0))))
  })
])
export type Change = (typeof Change)["Type"]

/** That other layers stand in these places, if there are any. */
export const placed = (kind: Kind, at: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Change> | undefined =>
  at.length === 0 ? undefined : [{ change: kind, at }]

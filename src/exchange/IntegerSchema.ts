/**
 * The program of a network of integers as the JSON of its file: what may stand there.
 *
 * Room: exchange (level 5). Imports: effect. Laws: test/exchange/IntegerFile.test.ts.
 */
import { Schema } from "effect"

/** The text of the file that holds the program. */
export const key = "breve.integers"
export const version = 1

const Whole = Schema.Int
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** sizes of windows and strides: small enough that nobody waits for them */
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65535 }))
const Shape = Schema.Array(Natural)
const Side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))
const Size = Schema.Tuple([Side, Side])
const Scale = Schema.NonEmptyArray(Schema.Finite.check(Schema.isGreaterThan(0)))
const Rounding = Schema.Literals(["nearest", "floor", "ceil", "toZero", "other"])
const Numbers = Schema.Struct({ shape: Shape, data: Schema.NonEmptyArray(Schema.Finite) })

const Lie = Schema.Struct({
  kernel: Schema.Array(Small),
  strides: Schema.Array(Small.check(Schema.isGreaterThan(0))),
  dilations: Schema.Array(Small.check(Schema.isGreaterThan(0))),
  pads: Schema.Array(Schema.Tuple([Small, Small]))
})

const IntegerGrid = Schema.Struct({
  kind: Schema.Literal("integer"),
  scale: Numbers,
  zeroPoint: Numbers,
  bits: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 32 })),
  signed: Schema.Boolean,
  narrow: Schema.Boolean,
  rounding: Rounding
})

const Grid = Schema.Union([IntegerGrid, Schema.Struct({ kind: Schema.Literal("binary"), scale: Numbers })])

const Floats = Schema.NonEmptyArray(Schema.Finite)

const Stage = Schema.Union([
  Schema.Struct({ op: Schema.Literal("affine"), factor: Floats, offset: Floats }),
  Schema.Struct({ op: Schema.Literal("clip"), low: Schema.Finite, high: Schema.Finite }),
  Schema.Struct({ op: Schema.Literals(["relu", "sigmoid", "tanh"]) })
])

/** Weights and biases are tensors of the file, named after the value that their step makes. */
const learned = { inputZeroPoint: Whole, hasBias: Schema.Boolean }

const Operation = Schema.Union([
  Schema.Struct({ op: Schema.Literals(["linear", "scaleBias"]), ...learned }),
  Schema.Struct({ op: Schema.Literal("conv"), ...learned, groups: Small.check(Schema.isGreaterThan(0)), lie: Lie }),
  Schema.Struct({
    op: Schema.Literal("convTranspose"),
    ...learned,
    groups: Small.check(Schema.isGreaterThan(0)),
    outputPadding: Schema.Array(Small),
    lie: Lie
  }),
  /** the thresholds are a tensor of the file */
  Schema.Struct({
    op: Schema.Literal("thresholds"),
    signs: Schema.NonEmptyArray(Schema.Literals([-1, 1])),
    low: Whole,
    high: Whole,
    step: Schema.Literals([1, 2]),
    base: Whole,
    stages: Schema.Array(Stage),
    rounding: Rounding
  }),
  Schema.Struct({
    op: Schema.Literal("rescale"),
    multiplier: Scale,
    shift: Schema.NullOr(Schema.Array(Whole)),
    zeroPoint: Whole,
    newZeroPoint: Whole,
    rounding: Rounding,
    low: Whole,
    high: Whole
  }),
  Schema.Struct({ op: Schema.Literal("relu"), zeroPoint: Whole }),
  Schema.Struct({ op: Schema.Literal("maxPool"), lie: Lie }),
  Schema.Struct({ op: Schema.Literal("sumPool"), lie: Lie, zeroPoint: Whole }),
  Schema.Struct({ op: Schema.Literal("flatten") }),
  Schema.Struct({ op: Schema.Literal("resizeNearest"), from: Size, to: Size }),
  Schema.Struct({
    op: Schema.Literal("resizeLinear"),
    from: Size,
    to: Size,
    alignCorners: Schema.Boolean,
    zeroPoint: Whole
  }),
  Schema.Struct({ op: Schema.Literal("add"), zeroPoints: Schema.Tuple([Whole, Whole]) }),
  Schema.Struct({ op: Schema.Literal("concat"), axis: Natural })
])

const Meaning = { scale: Scale, zeroPoint: Whole, low: Whole, high: Whole }

/** What is answered may have been normalized. */
const Output = {
  scale: Schema.optionalKey(Floats),
  offset: Schema.optionalKey(Floats)
}

const Affine = Schema.Struct({ factor: Schema.Finite, offset: Schema.Finite })

const File = Schema.Struct({
  version: Schema.Literal(version),
  input: Schema.Struct({
    name: Schema.String,
    shape: Shape,
    grid: Grid,
    before: Schema.optionalKey(Schema.Array(Affine))
  }),
  output: Schema.Struct({ name: Schema.String, shape: Shape, ...Output }),
  steps: Schema.Array(
    Schema.Struct({
      layer: Schema.String,
      operation: Operation,
      inputs: Schema.NonEmptyArray(Schema.String),
      output: Schema.String
    })
  ),
  meanings: Schema.Record(Schema.String, Schema.Struct(Meaning)),
  accumulators: Schema.Array(Schema.Struct({ layer: Schema.String, low: Whole, high: Whole, bits: Natural }))
})

export type File = typeof File.Type
/** a step without its tensors */
export type Stated = File["steps"][number]

/** The program of a file, or what does not fit. */
export const decoded = Schema.decodeUnknownResult(File, { onExcessProperty: "error" })

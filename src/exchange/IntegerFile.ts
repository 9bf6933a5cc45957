/**
 * A network of integers as a file, to be shipped to whatever runs it: Safetensors with the weights and biases as integers of the
 * fewest bytes, and the program as JSON among its texts.
 *
 * What is read is checked: every value is known before it is used, shapes fit each other, and the bounds of every sum are computed
 * again, so that a file that was tampered with does not overflow an accumulator either.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, its own room. Laws: test/exchange/IntegerFile.test.ts.
 */
import { Result, Schema } from "effect"
import { MalformedFile } from "../tensor/FileErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import * as Bounds from "./IntegerBounds.ts"
import type * as Program from "./IntegerProgram.ts"
import * as Transposed from "./IntegerTransposed.ts"
import * as JsonText from "./JsonText.ts"
import * as Safetensors from "./Safetensors.ts"

/** The text of the file that holds the program. */
const key = "breve.integers"
const version = 1

// ---- schema -------------------------------------------------------------------------------------------------

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

type File = typeof File.Type
type Stated = File["steps"][number]

const decoded = Schema.decodeUnknownResult(File, { onExcessProperty: "error" })

// ---- writing ------------------------------------------------------------------------------------------------

/** Integers in the fewest bytes that hold them all. */
const stored = (data: Int32Array, shape: ReadonlyArray<number>): Stored.Stored => {
  const reach = data.reduce((most, q) => Math.max(most, q < 0 ? -q - 1 : q), 0)
  const dtype = reach < 128 ? "I8" : reach < 32768 ? "I16" : "I32"
  const bytes = new DataView(new ArrayBuffer(data.length * Stored.byteSizes[dtype]))
  data.forEach((q, i) => {
    if (dtype === "I8") bytes.setInt8(i, q)
    else if (dtype === "I16") bytes.setInt16(2 * i, q, true)
    else bytes.setInt32(4 * i, q, true)
  })
  return { dtype, shape: [...shape], data: new Uint8Array(bytes.buffer) }
}

const numbers = ({ shape, data }: { readonly shape: ReadonlyArray<number>; readonly data: Float32Array }) => ({
  shape: [...shape],
  data: [...data]
})

const stated = (operation: Program.Operation): unknown => {
  if (operation.op === "thresholds") {
    const { thresholds: _, signs, stages, ...rest } = operation
    const arrays = stages.map((stage) =>
      stage.op === "affine" ? { ...stage, factor: [...stage.factor], offset: [...stage.offset] } : stage
    )
    return { ...rest, signs: [...signs], stages: arrays }
  }
  if (operation.op === "rescale") {
    const { multiplier, shift, ...rest } = operation
    return { ...rest, multiplier: [...multiplier], shift: shift === undefined ? null : [...shift] }
  }
  if (!("weight" in operation)) return operation
  const { weight: _, bias, ...rest } = operation
  return { ...rest, hasBias: bias !== undefined }
}

/** The bytes of a network: the same network gives the same bytes. */
export const encode = ({ input, output, steps, meanings, accumulators }: Program.IntegerNetwork): Uint8Array => {
  const tensors = steps.flatMap(({ operation, output: name }): ReadonlyArray<readonly [string, Stored.Stored]> => {
    if (operation.op === "thresholds") {
      const { data, shape } = operation.thresholds
      return [[`${name}.thresholds`, stored(data, shape)] as const]
    }
    if (!("weight" in operation)) return []
    const { weight, bias } = operation
    const first = [`${name}.weight`, stored(weight.data, weight.shape)] as const
    return bias === undefined ? [first] : [first, [`${name}.bias`, stored(bias, [bias.length])] as const]
  })
  const { grid } = input
  const program = {
    version,
    input: {
      ...input,
      grid: {
        ...grid,
        scale: numbers(grid.scale),
        ...(grid.kind === "integer" && { zeroPoint: numbers(grid.zeroPoint) })
      }
    },
    output: {
      name: output.name,
      shape: output.shape,
      ...(output.offset && { scale: [...output.scale], offset: [...output.offset] })
    },
    steps: steps.map((step) => ({ ...step, operation: stated(step.operation) })),
    meanings: Object.fromEntries(
      Object.entries(meanings).map(([name, meaning]) => [name, { ...meaning, scale: [...meaning.scale] }])
    ),
    accumulators
  }
  return Safetensors.encode(Object.fromEntries(tensors), { [key]: JSON.stringify(program) })
}

// ---- reading ------------------------------------------------------------------------------------------------

const integersOf = (tensors: Stored.Tensors, name: string): Result.Result<Program.Integers, string> => {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined
  if (tensor === undefined) return Result.fail(`lacks the tensor "${name}"`)
  if (!["I8", "I16", "I32"].includes(tensor.dtype))
    return Result.fail(`has no integers in "${name}", but ${tensor.dtype}`)
  return Result.succeed({ shape: tensor.shape, data: Int32Array.from(Stored.numbers(tensor) as ReadonlyArray<number>) })
}

const areSame = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i])

/** The operation of a step with its tensors, or what does not fit. */
const operationOf = (
  { operation, output }: Stated,
  tensors: Stored.Tensors
): Result.Result<Program.Operation, string> =>
  Result.gen(function* () {
    if (operation.op === "rescale") {
      const { multiplier, shift, ...rest } = operation
      if (shift !== null && shift.length !== multiplier.length)
        return yield* Result.fail(`has other shifts than multipliers at "${output}"`)
      return {
        ...rest,
        multiplier: Float64Array.from(multiplier),
        shift: shift === null ? undefined : Int32Array.from(shift)
      }
    }
    if (operation.op === "thresholds") {
      const { signs, stages, ...rest } = operation
      const thresholds = yield* integersOf(tensors, `${output}.thresholds`)
      if (!areSame(thresholds.shape, [signs.length, operation.high - operation.low]))
        return yield* Result.fail(`has thresholds [${thresholds.shape.join(", ")}] at "${output}"`)
      const [, count = 0] = thresholds.shape
      if (thresholds.data.some((t, i) => i % count > 0 && t < (thresholds.data[i - 1] as number)))
        return yield* Result.fail(`has thresholds out of order at "${output}"`)
      return {
        ...rest,
        thresholds,
        signs: Int32Array.from(signs),
        stages: stages.map((stage) =>
          stage.op === "affine"
            ? { ...stage, factor: Float64Array.from(stage.factor), offset: Float64Array.from(stage.offset) }
            : stage
        )
      }
    }
    if (!("hasBias" in operation)) return operation
    const { hasBias, ...rest } = operation
    const weight = yield* integersOf(tensors, `${output}.weight`)
    const bias = hasBias ? yield* integersOf(tensors, `${output}.bias`) : undefined
    const isWindows = operation.op === "conv" || operation.op === "convTranspose"
    const rank = isWindows ? operation.lie.kernel.length + 2 : operation.op === "linear" ? 2 : 1
    if (weight.shape.length !== rank)
      return yield* Result.fail(`has a weight of ${weight.shape.length} axes at "${output}"`)
    const outputs =
      operation.op === "convTranspose" ? operation.groups * (weight.shape.at(-2) ?? 0) : weight.shape.at(-1)
    if (bias !== undefined && bias.data.length !== outputs)
      return yield* Result.fail(`has ${bias.data.length} biases at "${output}"`)
    if (isWindows) {
      const { kernel, strides, dilations, pads } = operation.lie
      if (!areSame(kernel, weight.shape.slice(0, -2)))
        return yield* Result.fail(`has windows of another size than the weight at "${output}"`)
      if (![strides, dilations, pads].every(({ length }) => length === kernel.length))
        return yield* Result.fail(`has windows of several ranks at "${output}"`)
    }
    return { ...rest, weight, bias: bias?.data } as Program.Operation
  })

const meaningOf = ({ scale, ...rest }: File["meanings"][string]): Program.Meaning => ({
  ...rest,
  scale: Float64Array.from(scale)
})

/** What is wrong with the bounds that a file states, computed again from its weights. */
const wrongBounds = ({ steps, meanings }: Pick<Program.IntegerNetwork, "steps" | "meanings">): string | undefined => {
  for (const { operation, inputs, output } of steps) {
    if (!("weight" in operation)) continue
    const input = meanings[inputs[0] as string] as Program.Meaning
    const bias = operation.bias === undefined ? undefined : Float64Array.from(operation.bias)
    const { low, high } =
      operation.op === "convTranspose"
        ? Transposed.bounds({ ...operation, bias }, input)
        : Bounds.ofProducts(operation.op, operation.weight, bias, input)
    const said = meanings[output] as Program.Meaning
    if (low < said.low || high > said.high)
      return `says that "${output}" lies from ${said.low} to ${said.high}, and it can be from ${low} to ${high}`
    if (Bounds.signedBits(said) > 32) return `has sums of more than 32 bits at "${output}"`
  }
  return undefined
}

const networkOf = ({ tensors, metadata }: Stored.Archive): Result.Result<Program.IntegerNetwork, string> =>
  Result.gen(function* () {
    const text = Object.hasOwn(metadata, key) ? metadata[key] : undefined
    if (text === undefined) return yield* Result.fail(`is no network of integers: it has no text "${key}"`)
    const parsed = yield* Result.mapError(JsonText.parse(text), (reason) => `has a program that ${reason}`)
    const file = yield* Result.mapError(decoded(parsed), ({ message }) => `has a program that does not fit: ${message}`)
    const known = new Set([file.input.name])
    const steps: Array<Program.Step> = []
    for (const step of file.steps) {
      const unknown = step.inputs.find((name) => !known.has(name))
      if (unknown !== undefined) return yield* Result.fail(`uses "${unknown}" before it is there, at "${step.output}"`)
      if (known.has(step.output)) return yield* Result.fail(`makes "${step.output}" twice`)
      if (step.operation.op === "add" && step.inputs.length !== 2)
        return yield* Result.fail(`adds ${step.inputs.length} values at "${step.output}"`)
      known.add(step.output)
      steps.push({ ...step, operation: yield* operationOf(step, tensors) })
    }
    const without = [...known, file.output.name].find((name) => !Object.hasOwn(file.meanings, name))
    if (without !== undefined) return yield* Result.fail(`does not say what the integers of "${without}" mean`)
    if (!known.has(file.output.name)) return yield* Result.fail(`answers "${file.output.name}", which nothing makes`)
    const meanings = Object.fromEntries(Object.entries(file.meanings).map(([name, one]) => [name, meaningOf(one)]))
    const wrong = wrongBounds({ steps, meanings })
    if (wrong !== undefined) return yield* Result.fail(wrong)
    const { grid, before } = file.input
    const floats = ({ shape, data }: typeof grid.scale) => ({ shape, data: Float32Array.from(data) })
    return {
      input: {
        name: file.input.name,
        shape: file.input.shape,
        grid:
          grid.kind === "binary"
            ? { ...grid, scale: floats(grid.scale) }
            : { ...grid, scale: floats(grid.scale), zeroPoint: floats(grid.zeroPoint) },
        ...(before && { before })
      },
      output: {
        name: file.output.name,
        shape: file.output.shape,
        ...(meanings[file.output.name] as Program.Meaning),
        ...(file.output.offset &&
          file.output.scale && {
            scale: Float64Array.from(file.output.scale),
            offset: Float64Array.from(file.output.offset),
            zeroPoint: 0
          })
      },
      steps,
      meanings,
      accumulators: file.accumulators
    }
  })

/**
 * The network of a file, checked. `file` is its name for messages.
 *
 * - errors: MalformedFile for what is no network of integers, is cut short, or does not fit together
 */
export const decode = (bytes: Uint8Array, file = "the file"): Result.Result<Program.IntegerNetwork, MalformedFile> =>
  Result.flatMap(Safetensors.decode(bytes, file), (archive) =>
    Result.mapError(networkOf(archive), (reason) => new MalformedFile({ file, reason }))
  )

/**
 * From a file to a network of integers, checked: every value is known before it is used, shapes fit each other, and the bounds of
 * every sum are computed again.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, `./IntegerBounds.ts`, `./IntegerProgram.ts` types, `./IntegerSchema.ts`,
 * `./IntegerTransposed.ts`, `./JsonText.ts`. Laws: test/exchange/IntegerFile.test.ts.
 */
import { Result } from "effect"
import * as Stored from "../tensor/Stored.ts"
import * as Bounds from "./IntegerBounds.ts"
import type * as Program from "./IntegerProgram.ts"
import { decoded, type File, key, type Stated } from "./IntegerSchema.ts"
import * as Transposed from "./IntegerTransposed.ts"
import * as JsonText from "./JsonText.ts"

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

/** The network of an archive, or what is wrong with it. */
export const networkOf = ({ tensors, metadata }: Stored.Archive): Result.Result<Program.IntegerNetwork, string> =>
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

/**
 * A network of integers as a file, to be shipped to whatever runs it: Safetensors with the weights and biases as integers of the
 * fewest bytes, and the program as JSON among its texts.
 *
 * What is read is checked (`./IntegerReading.ts`), so that a file that was tampered with does not overflow an accumulator either.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, `./IntegerProgram.ts` types, `./IntegerReading.ts`, `./IntegerSchema.ts`,
 * `./Safetensors.ts`. Laws: test/exchange/IntegerFile.test.ts.
 */
import { Result } from "effect"
import { MalformedFile } from "../tensor/FileErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import type * as Program from "./IntegerProgram.ts"
import { networkOf } from "./IntegerReading.ts"
import { key, version } from "./IntegerSchema.ts"
import * as Safetensors from "./Safetensors.ts"

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

/**
 * The network of a file, checked. `file` is its name for messages.
 *
 * - errors: MalformedFile for what is no network of integers, is cut short, or does not fit together
 */
export const decode = (bytes: Uint8Array, file = "the file"): Result.Result<Program.IntegerNetwork, MalformedFile> =>
  Result.flatMap(Safetensors.decode(bytes, file), (archive) =>
    Result.mapError(networkOf(archive), (reason) => new MalformedFile({ file, reason }))
  )

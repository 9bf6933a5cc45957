/**
 * Tensors by name as JSON: for reading, comparing and keeping small states under version control. Exact, as `Decimals.ts` writes.
 *
 * Room: exchange (level 5). Imports: tfjs types, effect, `tensor`, `./Decimals.ts`, `./JsonText.ts`. Laws:
 * test/exchange/StateJson.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, Result, type Scope } from "effect"
import { MalformedFile, type UnreadableValues } from "../tensor/FileErrors.ts"
import * as Stored from "../tensor/Stored.ts"
import * as Decimals from "./Decimals.ts"
import * as JsonText from "./JsonText.ts"

const format = "breve-state-1"

// ---- writing ------------------------------------------------------------------------------------------------

/** The elements between brackets, a line for each row of the last axis. */
const rows = ({ shape }: Stored.Stored, elements: ReadonlyArray<string>): string => {
  const width = shape.at(-1) ?? 1
  if (shape.length < 2 || elements.length <= width) return `[${elements.join(", ")}]`
  const lines = Array.from({ length: elements.length / width }, (_, i) =>
    elements.slice(i * width, (i + 1) * width).join(", ")
  )
  return `[\n      ${lines.join(",\n      ")}\n    ]`
}

/**
 * The text of these tensors, in their order, and of what is written beside them.
 *
 * @category writing
 * @since 0.3.0
 */
export const encode = (
  tensors: Readonly<Record<string, tf.Tensor | Stored.Stored>>,
  metadata: Readonly<Record<string, string>> = {}
): string => {
  const entries = Object.entries(tensors).map(([name, tensor]) => {
    const stored = tensor instanceof tf.Tensor ? Stored.fromTensor(tensor) : tensor
    const about = `"dtype": "${stored.dtype}", "shape": [${stored.shape.join(", ")}]`
    return `    ${JSON.stringify(name)}: { ${about}, "data": ${rows(stored, Decimals.write(stored))} }`
  })
  const texts = Object.entries(metadata).map(([name, text]) => `    ${JSON.stringify(name)}: ${JSON.stringify(text)}`)
  const block = (lines: ReadonlyArray<string>): string => (lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n  }`)
  return `{\n  "format": "${format}",\n  "metadata": ${block(texts)},\n  "tensors": ${block(entries)}\n}\n`
}

// ---- reading ------------------------------------------------------------------------------------------------

const shown = (u: unknown): string => {
  const text = JSON.stringify(u) ?? "nothing"
  return text.length > 40 ? `${text.slice(0, 40)}...` : text
}

const tensorOf = (name: string, u: unknown): Result.Result<readonly [string, Stored.Stored], string> => {
  const wrong = (reason: string): Result.Result<never, string> => Result.fail(`has a tensor "${name}" ${reason}`)
  if (!JsonText.isRecord(u)) return wrong("that is not described by an object")
  const { dtype, shape, data, ...others } = u
  const other = Object.keys(others)[0]
  if (other !== undefined) return wrong(`with an unknown attribute "${other}"`)
  if (!Stored.isDtype(dtype))
    return wrong(`of the type ${shown(dtype)}; known are ${Object.keys(Stored.byteSizes).join(", ")}`)
  if (!JsonText.isShape(shape)) return wrong(`of the shape ${shown(shape)}`)
  if (!Array.isArray(data)) return wrong("without a list of data")
  const size = Stored.sizeOf(shape)
  if (data.length !== size)
    return wrong(`with ${data.length} elements, but the shape [${shape.join(", ")}] has ${size}`)
  const bytes = Decimals.read(dtype, data)
  return "wrong" in bytes
    ? wrong(`whose element ${bytes.at} is ${shown(bytes.wrong)}, which ${dtype} does not have`)
    : Result.succeed([name, { dtype, shape, data: bytes.data }])
}

const archiveOf = (text: string): Result.Result<Stored.Archive, string> =>
  Result.gen(function* () {
    const content = yield* JsonText.parse(text)
    if (!JsonText.isRecord(content)) return yield* Result.fail("is not an object")
    if (content.format !== format)
      return yield* Result.fail(`is no state: "format" is ${shown(content.format)}, not "${format}"`)
    const { metadata = {}, tensors } = content
    const other = Object.keys(content).find((name) => !["format", "metadata", "tensors"].includes(name))
    if (other !== undefined) return yield* Result.fail(`has an unknown attribute "${other}"`)
    if (!JsonText.isRecord(metadata) || !Object.values(metadata).every((one) => typeof one === "string"))
      return yield* Result.fail('has something else than texts by name under "metadata"')
    if (!JsonText.isRecord(tensors)) return yield* Result.fail('has no tensors by name under "tensors"')
    const read: ReadonlyArray<readonly [string, Stored.Stored]> = yield* Result.all(
      Object.entries(tensors).map(([name, u]) => tensorOf(name, u))
    )
    return { tensors: Object.fromEntries(read), metadata: metadata as Readonly<Record<string, string>> }
  })

/**
 * The tensors and texts of a text. A decimal that is not a float32 is rounded to the nearest one. `file` is its name for messages.
 *
 * - errors: MalformedFile, which says where in the text it is wrong
 *
 * @category reading
 * @since 0.3.0
 */
export const decode = (text: string, file = "the file"): Result.Result<Stored.Archive, MalformedFile> =>
  Result.mapError(archiveOf(text), (reason) => new MalformedFile({ file, reason }))

/** Tensors and texts, ready to compute with. */
export interface Read {
  readonly tensors: Readonly<Record<string, tf.Tensor>>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * The tensors of a text, which live in the surrounding Scope.
 *
 * - errors: MalformedFile as `decode`; UnreadableValues for integers that int32 does not hold
 *
 * @category reading
 * @since 0.3.0
 */
export const read = Effect.fn("StateJson.read")(function* (
  text: string,
  file?: string
): Effect.fn.Return<Read, MalformedFile | UnreadableValues, Scope.Scope> {
  const { tensors, metadata } = yield* Effect.fromResult(decode(text, file))
  return { tensors: yield* Stored.tensors(tensors), metadata }
})

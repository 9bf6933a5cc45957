/**
 * The command `breve export`: a saved network as a file for other systems.
 *
 * Room: cli (level 6). Imports: effect, `backend`, `exchange`, `tensor`, its own room.
 */
import { Effect, Option, Path } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as IntegerNetwork from "../exchange/IntegerNetwork.ts"
import * as Onnx from "../exchange/Onnx.ts"
import * as Sha256 from "../exchange/Sha256.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Bytes from "./Bytes.ts"
import * as Networks from "./Networks.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Saved from "./Saved.ts"
import * as Shipped from "./Shipped.ts"

/** What a network can be written as, and how the name of such a file ends. */
const endings = {
  qcdq: ".onnx",
  qonnx: ".qonnx.onnx",
  float: ".float.onnx",
  integers: ".integers.safetensors"
} as const

type Format = keyof typeof endings

const opsets: ReadonlyArray<number> = [13, 14, 15, 16, 17, 18, 19, 20, 21]

const isOpset = (opset: number): opset is Onnx.Opset => opsets.includes(opset)

const invalid = (reason: string) => new InvalidOptions({ what: "breve export", option: "opset", reason })

const opsetOf = (given: Option.Option<number>, other: Onnx.Opset): Effect.Effect<Onnx.Opset, InvalidOptions> => {
  const opset = Option.getOrElse(given, () => other)
  return isOpset(opset)
    ? Effect.succeed(opset)
    : Effect.fail(invalid(`has to be from ${opsets[0]} to ${opsets.at(-1)}, not ${opset}`))
}

/** The bytes of a network in a format. */
const written = ({ network, model, image }: Saved.Saved, format: Format, given: Option.Option<number>) =>
  Effect.gen(function* () {
    if (format === "integers") {
      if (Option.isSome(given)) return yield* invalid("has no use with --format integers")
      return IntegerNetwork.encode(yield* IntegerNetwork.of(model, Shipped.inputShape(image)))
    }
    const opset = yield* opsetOf(given, format === "qcdq" ? Shipped.opsetOf(network) : format === "qonnx" ? 14 : 13)
    const options = { inputShape: Shipped.inputShape(image), opset }
    if (format === "qcdq") return yield* Onnx.exportQcdq(model, options)
    return yield* format === "qonnx" ? Onnx.exportQonnx(model, options) : Onnx.exportFloat(model, options)
  })

const flags = {
  state: Argument.withDescription(Argument.String("state"), "the state of a trained network, a .safetensors file"),
  network: Flag.withDescription(
    Flag.optional(Flag.String("network")),
    `which network it is of, where the file does not say: ${Networks.names.join(", ")}`
  ),
  format: Flag.withDescription(
    Flag.withDefault(Flag.Literals("format", Object.keys(endings) as ReadonlyArray<Format>), "qcdq"),
    "qcdq: standard ONNX with integer weights; qonnx: ONNX of arbitrary widths; float: ONNX without quantization; integers: a network of integers, Safetensors"
  ),
  opset: Flag.withDescription(
    Flag.optional(Flag.Int("opset")),
    "version of the operators, 13 to 21; default: 13, for weights of up to four bits 21, which packs them; for qonnx 14"
  ),
  out: Flag.withDescription(
    Flag.optional(Flag.String("out")),
    "the file to write; default: beside the state, named as it is"
  )
}

/** Writes one file, all of it or nothing. */
export const command = Command.make("export", flags, ({ state, network, format, opset, out }) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const target = Option.getOrElse(out, () => `${state.replace(/\.safetensors$/, "")}${endings[format]}`)
    const [folder, name] = [path.dirname(target), path.basename(target)]
    yield* Output.check(folder, [name])
    const bytes = yield* Effect.scoped(
      Effect.flatMap(Saved.read(state, network), (saved) => written(saved, format, opset))
    )
    yield* Output.writeAll(folder, { [name]: bytes })
    const size = yield* Bytes.sizeOf(bytes)
    yield* Progress.print(`written to ${target}: ${Bytes.text(size)}, SHA-256 ${Sha256.hex(bytes)}`)
  }).pipe(Effect.provide(Backend.layer))
).pipe(Command.withDescription("Write a saved network as an ONNX file, or as a network of integers."))

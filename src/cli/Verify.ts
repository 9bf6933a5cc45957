/**
 * The command `breve verify`: whether an exported file computes what a saved network does; the certificate is written beside it.
 *
 * Room: cli (level 6). Imports: effect, `backend`, `exchange`, `tensor`, its own room.
 */
import { Effect, Option, Path } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as Certificate from "../exchange/Certificate.ts"
import * as OnnxEvaluator from "../exchange/OnnxEvaluator.ts"
import * as OnnxRuntime from "../exchange/OnnxRuntime.ts"
import { InvalidOptions, ShapeMismatch } from "../tensor/LayerErrors.ts"
import * as Certified from "./Certified.ts"
import * as Digits from "./Digits.ts"
import * as Folder from "./Folder.ts"
import * as Networks from "./Networks.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Saved from "./Saved.ts"
import * as Shipped from "./Shipped.ts"

const flags = {
  model: Argument.withDescription(Argument.String("model"), "the exported file, .onnx"),
  state: Flag.withDescription(
    Flag.optional(Flag.String("state")),
    "the state that it was exported from; default: the .safetensors file of the same name beside it"
  ),
  network: Flag.withDescription(
    Flag.optional(Flag.String("network")),
    `which network the state is of, where it does not say: ${Networks.names.join(", ")}`
  ),
  data: Flag.withDescription(
    Flag.optional(Flag.String("data")),
    "folder with MNIST-style IDX files, whose test images are the inputs; default: drawn digits"
  ),
  inputs: Flag.withDescription(Flag.withDefault(Flag.Int("inputs"), 500), "how many images to compare with"),
  tie: Flag.withDescription(
    Flag.withDefault(Flag.Finite("tie"), 1e-3),
    "how near a tie a rounding has to come to explain a difference, in steps"
  )
}

const invalid = (option: string, reason: string) => new InvalidOptions({ what: "breve verify", option, reason })

/** Images to compare with: those that are held out from training. */
const images = (data: Option.Option<string>, count: number) =>
  Option.match(data, {
    onNone: () => Effect.sync(() => Digits.make(2, count)),
    onSome: (folder) => Effect.map(Folder.read(folder), ({ test }) => test)
  })

const verified = (
  file: string,
  state: string,
  bytes: Uint8Array,
  { network, model, image }: Saved.Saved,
  given: { readonly data: Option.Option<string>; readonly inputs: number; readonly tie: number }
) =>
  Effect.gen(function* () {
    const test = yield* images(given.data, given.inputs)
    if (test.height !== image.height || test.width !== image.width)
      return yield* new ShapeMismatch({
        what: `the images of ${Option.getOrElse(given.data, () => "drawn digits")}`,
        expected: `${image.height} x ${image.width} pixels, which the network was trained on`,
        actual: [test.height, test.width]
      })
    const inputs = Shipped.inputsOf(network, test, given.inputs)
    const dialect = yield* Certificate.dialect(bytes, file)
    const certify = Certificate.certify(bytes, model, inputs, { file, state, tieDistance: given.tie })
    return yield* dialect === "QONNX"
      ? Effect.provide(certify, OnnxEvaluator.layer)
      : Effect.provide(certify, OnnxRuntime.layer)
  })

/** Compares, prints the comparison, writes the certificate; one that is not given is a failure. */
export const command = Command.make("verify", flags, ({ model, state, network, ...given }) =>
  Effect.gen(function* () {
    if (given.inputs < 1) return yield* invalid("inputs", `has to be 1 or more, not ${given.inputs}`)
    if (!(given.tie >= 0 && given.tie < 0.5))
      return yield* invalid("tie", `has to be from 0 to below 0.5, not ${given.tie}`)
    const path = yield* Path.Path
    const bytes = yield* Saved.bytesOf(model)
    const stem = model.replace(/\.onnx$/, "")
    const from = Option.getOrElse(state, () => `${stem.replace(/\.(qonnx|float)$/, "")}.safetensors`)
    const [folder, name] = [path.dirname(model), `${path.basename(stem)}.certificate.json`]
    yield* Output.check(folder, [name])
    const certificate = yield* Effect.scoped(
      Effect.flatMap(Saved.read(from, network), (saved) => verified(path.basename(model), from, bytes, saved, given))
    )
    yield* Output.writeAll(folder, { [name]: Certificate.json(certificate) })
    yield* Progress.print(`${Certified.text(certificate)}\n\nwritten to ${path.join(folder, name)}`)
    if (!certificate.certified) return yield* Certified.failureOf(certificate)
  }).pipe(Effect.provide(Backend.layer))
).pipe(
  Command.withDescription("Run an exported file and compare it with the integers and with training, output by output.")
)

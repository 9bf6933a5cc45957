/**
 * The command `breve quantize`: a trained network, a recipe, and what comes of them: state, ONNX file, certificate, report.
 *
 * Room: cli (level 6). Imports: effect, `backend`, `exchange`, `nn`, `ptq`, `tensor`, its own room.
 */
import { Array as Arr, Effect, FileSystem, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as Certificate from "../exchange/Certificate.ts"
import * as Onnx from "../exchange/Onnx.ts"
import * as OnnxEvaluator from "../exchange/OnnxEvaluator.ts"
import * as OnnxRuntime from "../exchange/OnnxRuntime.ts"
import type * as Layer from "../nn/Layer.ts"
import * as State from "../nn/State.ts"
import * as Recipe from "../ptq/Recipe.ts"
import * as Recipes from "../ptq/Recipes.ts"
import * as Sensitivity from "../ptq/Sensitivity.ts"
import * as Digits from "./Digits.ts"
import * as Folder from "./Folder.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as QuantizeReport from "./QuantizeReport.ts"
import * as Quantizing from "./Quantizing.ts"
import * as Saved from "./Saved.ts"

const flags = {
  model: Flag.withDescription(
    Flag.String("model"),
    "file with the state of a trained network, as breve train writes it"
  ),
  network: Flag.optional(
    Flag.withDescription(Flag.String("network"), "which network it is of, where the file does not say")
  ),
  data: Flag.optional(
    Flag.withDescription(
      Flag.String("data"),
      "folder with MNIST-style IDX files, raw or gzipped; default: drawn digits"
    )
  ),
  recipe: Flag.withDescription(
    Flag.withDefault(Flag.String("recipe"), "int8"),
    `a file with a recipe, or one that is ready: ${Recipes.names.join(", ")}`
  ),
  out: Flag.withDescription(Flag.withDefault(Flag.String("out"), "breve-out"), "folder for what comes of it")
}

/** How many images a file is checked on; plain arrays, which compute QONNX, are slower than a runtime. */
const certifiedOn = { QCDQ: 100, QONNX: 20 }

/** The recipe of a file, or a ready-made one of that name. */
export const recipeOf = (wanted: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    if (Recipes.names.includes(wanted)) return yield* Recipes.find(wanted)
    const text = yield* Effect.option(fs.readFileString(wanted))
    return Option.isSome(text) ? yield* Recipe.decode(text.value, wanted) : yield* Recipes.find(wanted)
  })

/** The first held-out images as the network takes them. */
const inputsOf = (plan: Quantizing.Plan, most: number): Effect.Effect<OnnxRuntime.Floats> =>
  Effect.sync(() => {
    const { count, height, width } = plan.test
    const indices = Uint32Array.from({ length: Math.min(most, count) }, (_, i) => i)
    return Quantizing.floatsOf(plan.network.source(plan.test).batch(indices), [indices.length, height, width, 1])
  })

/** A file in the dialect that can say what the network does, in each way to write it, the smallest first. */
interface Written {
  readonly dialect: "QCDQ" | "QONNX"
  readonly ending: string
  readonly ways: Arr.NonEmptyReadonlyArray<Uint8Array>
  /** why it is not QCDQ */
  readonly instead?: string
}

/**
 * QCDQ, which every runtime knows, where that can say it, otherwise QONNX. From opset 21 on two weights of up to four bits share a byte,
 * but not every runtime loads all of such files.
 */
const writtenOf = (
  model: Layer.Layer,
  { height, width }: Quantizing.Plan["image"]
): Effect.Effect<Written, Onnx.ExportError> => {
  const inputShape = [1, height, width, 1]
  const qcdq = Effect.gen(function* () {
    const plain = yield* Onnx.exportQcdq(model, { inputShape })
    const packed = yield* Onnx.exportQcdq(model, { inputShape, opset: 21 })
    return {
      dialect: "QCDQ",
      ending: "",
      ways: packed.length < plain.length ? [packed, plain] : [plain]
    } satisfies Written
  })
  const qonnx = (refused: Onnx.ExportError) =>
    Effect.map(Onnx.exportQonnx(model, { inputShape }), (bytes) => ({
      dialect: "QONNX" as const,
      ending: ".qonnx",
      ways: [bytes] as const,
      instead: refused.message
    }))
  return Effect.catch(qcdq, qonnx)
}

/** The network as an ONNX file with its certificate, as far as there can be one. */
const exported = (name: string, model: Layer.Layer, plan: Quantizing.Plan) =>
  Effect.gen(function* () {
    const written = yield* Effect.result(writtenOf(model, plan.image))
    if (Result.isFailure(written))
      return { files: {}, exported: { as: "nothing", reason: written.failure.message } as const }
    const { dialect, ending, ways, instead } = written.success
    const file = `${name}${ending}.onnx`
    const told = { file, ...(instead !== undefined && { instead }) }
    const inputs = yield* inputsOf(plan, certifiedOn[dialect])
    const certified = yield* Effect.result(
      Effect.firstSuccessOf(
        ways.map((bytes) =>
          Effect.map(Certificate.certify(bytes, model, inputs, { file }), (certificate) => ({ bytes, certificate }))
        )
      ).pipe(Effect.provide(dialect === "QONNX" ? OnnxEvaluator.layer : OnnxRuntime.layer))
    )
    if (Result.isFailure(certified))
      return {
        files: { [file]: Arr.lastNonEmpty(ways) },
        exported: { as: "file", ...told, reason: certified.failure.message } as const
      }
    const { bytes, certificate } = certified.success
    return {
      files: { [file]: bytes, [`${name}${ending}.certificate.json`]: Certificate.json(certificate) },
      exported: { as: "certificate", ...told, certificate } as const
    }
  })

const summary = (told: QuantizeReport.Exported): string => {
  if (told.as === "nothing") return `no ONNX file: ${told.reason}`
  const verdict =
    told.as === "file"
      ? `${told.file} is not certified: ${told.reason}`
      : `${told.file}: ${told.certificate.certified ? "certified" : "NOT certified"} on ${told.certificate.inputs.count} images`
  return told.instead === undefined ? verdict : `${verdict}\nin QONNX: ${told.instead}`
}

const endings = [
  "safetensors",
  "onnx",
  "certificate.json",
  "qonnx.onnx",
  "qonnx.certificate.json",
  "recipe.json",
  "html"
]

const namesOf = (name: string): ReadonlyArray<string> => endings.map((ending) => `${name}.${ending}`)

export const command = Command.make("quantize", flags, (given) =>
  Effect.scoped(
    Effect.gen(function* () {
      const recipe = yield* recipeOf(given.recipe)
      const saved = yield* Saved.read(given.model, given.network)
      const name = `${saved.network.name}-${recipe.name}`
      yield* Output.check(given.out, namesOf(name))
      const { train, test } = yield* Option.match(given.data, {
        onNone: () => Effect.sync(() => Folder.split(Digits.make(1, 6000))),
        onSome: Folder.read
      })
      const plan: Quantizing.Plan = { ...saved, recipe, train, test }
      const result = yield* Quantizing.run(plan)
      const left = yield* exported(name, result.model, plan)
      const settings = [
        ["model", given.model],
        ["network", saved.network.name],
        ["recipe", recipe.about === undefined ? recipe.name : `${recipe.name}: ${recipe.about}`],
        ["data", Option.getOrElse(given.data, () => "drawn digits")],
        ["images", `${Recipe.calibrationOf(recipe).samples} to calibrate, ${test.count} to test`]
      ] as const
      const title = `${saved.network.name}, quantized by ${recipe.name}`
      const files = {
        [`${name}.safetensors`]: Saved.encode(result.network.name, saved.image, yield* State.extract(result.model), {
          recipe,
          structure: result.structure
        }),
        [`${name}.recipe.json`]: Recipe.encode(recipe),
        [`${name}.html`]: QuantizeReport.html({ title, settings, recipe, result, exported: left.exported }),
        ...left.files
      }
      yield* Output.writeAll(given.out, files)
      const warning =
        recipe.needsTraining === undefined ? "" : `\n\nThis recipe needs training on: ${recipe.needsTraining}.`
      const tables = [
        Progress.table(QuantizeReport.stageHeaders, QuantizeReport.stageCells(result)),
        Progress.table(QuantizeReport.quantizerHeaders, QuantizeReport.quantizerCells(result)),
        Progress.table(Sensitivity.headers, Sensitivity.cells(result.sensitivity))
      ]
      const written = `written to ${given.out}: ${Object.keys(files).join(", ")}`
      yield* Progress.print(`\n${tables.join("\n\n")}${warning}\n\n${summary(left.exported)}\n${written}`)
    })
  ).pipe(Effect.provide(Backend.layer))
).pipe(
  Command.withDescription("Quantize a trained network without training, by a recipe; export it and check the file.")
)

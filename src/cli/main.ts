#!/usr/bin/env node
/**
 * The command line of breve: `breve train` and `breve inspect`.
 *
 * Room: cli (level 6). Imports: tfjs, effect, everything below.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Data, Effect, Layer, Option, pipe } from "effect"
import { CliConfig, Command, Flag, GlobalFlag } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as Safetensors from "../exchange/Safetensors.ts"
import { InvalidOptions } from "../tensor/Errors.ts"
import * as Digits from "./Digits.ts"
import * as Experiment from "./Experiment.ts"
import * as Folder from "./Folder.ts"
import * as Inspect from "./Inspect.ts"
import * as Node from "./Node.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Report from "./Report.ts"
import * as Schemes from "./Schemes.ts"

/** Tensors were left behind: a defect of breve that a run reports of itself. */
class TensorsLeaked extends Data.TaggedError("TensorsLeaked")<{ readonly count: number }> {
  override get message(): string {
    return `${this.count} tensors were not released; this is a defect of breve`
  }
}

const percent = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(2)} %`)

// ---- train --------------------------------------------------------------------------------------------------

const trainFlags = {
  data: Flag.optional(
    Flag.withDescription(
      Flag.String("data"),
      "folder with MNIST-style IDX files, raw or gzipped; default: drawn digits"
    )
  ),
  epochs: Flag.withDescription(Flag.withDefault(Flag.Int("epochs"), 6), "passes over the images for the float network"),
  seed: Flag.withDescription(Flag.withDefault(Flag.Int("seed"), 1), "the same seed gives the same numbers"),
  quantizer: Flag.withDescription(
    Flag.atLeast(Flag.String("quantizer"), 0),
    `which quantizers to compare, repeatable: ${Schemes.names.join(", ")}; default: all`
  ),
  out: Flag.withDescription(Flag.withDefault(Flag.String("out"), "breve-out"), "folder for report.html and states")
}

const schemesOf = (
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Schemes.Scheme>, Schemes.UnknownQuantizer> =>
  Effect.forEach(names.length === 0 ? Schemes.names : [...new Set(names)], (wanted) => {
    const scheme = Schemes.find(wanted)
    return scheme === undefined
      ? Effect.fail(new Schemes.UnknownQuantizer({ wanted, known: Schemes.names }))
      : Effect.succeed(scheme)
  })

const train = Command.make("train", trainFlags, (flags) =>
  Effect.gen(function* () {
    const schemes = yield* schemesOf(flags.quantizer)
    if (flags.epochs < 1)
      return yield* new InvalidOptions({
        what: "breve train",
        option: "epochs",
        reason: `has to be 1 or more, not ${flags.epochs}`
      })
    const outputs = [
      "report.html",
      ...["float", ...schemes.map(({ name }) => name)].map((name) => `${name}.safetensors`)
    ]
    yield* Output.check(flags.out, outputs)
    const drawn = Effect.sync(() => Folder.split(Digits.make(flags.seed, 6000)))
    const { train: images, test } = yield* Option.match(flags.data, { onNone: () => drawn, onSome: Folder.read })
    const before = tf.memory().numTensors
    const { rows, files } = yield* Effect.scoped(
      Effect.gen(function* () {
        const plan = { train: images, test, epochs: flags.epochs, seed: flags.seed, schemes }
        const result = yield* Experiment.run(plan)
        const settings = [
          ["data", Option.getOrElse(flags.data, () => "drawn digits")],
          ["images", `${images.count} to train, ${test.count} to test`],
          ["epochs", `${flags.epochs}`],
          ["seed", `${flags.seed}`],
          ["backend", tf.getBackend()]
        ] as const
        const report = Report.html({ title: "Digits, quantized", settings, ...result })
        const states = Object.entries(result.states).map(
          ([name, state]) => [`${name}.safetensors`, Safetensors.encode(state)] as const
        )
        return { rows: result.rows, files: { "report.html": report, ...Object.fromEntries(states) } }
      })
    )
    const left = tf.memory().numTensors - before
    if (left !== 0) return yield* new TensorsLeaked({ count: left })
    yield* Output.writeAll(flags.out, files)
    const headers = ["quantizer", "accuracy", "after fine-tuning", "weight bytes", "ms per step"]
    const cells = rows.map((row) => [
      row.name,
      percent(row.accuracyBefore),
      percent(row.accuracyAfter),
      `${row.weightBytes}`,
      row.msPerStep === undefined ? "–" : row.msPerStep.toFixed(1)
    ])
    yield* Progress.print(
      `\n${Progress.table(headers, cells)}\n\nwritten to ${flags.out}: ${Object.keys(files).join(", ")}`
    )
  }).pipe(Effect.provide(Backend.layer))
).pipe(Command.withDescription("Train a digit classifier, quantize it in several ways, and compare them."))

// ---- the command --------------------------------------------------------------------------------------------

const breve = Command.make("breve").pipe(
  Command.withDescription("Quantizers for neural networks as composable values."),
  Command.withSubcommands([train, Inspect.command])
)

// effect's own wizard asks questions, and this terminal reads no answers
const config = CliConfig.layer({ builtIns: GlobalFlag.BuiltIns.filter((flag) => flag !== GlobalFlag.Wizard) })

pipe(Command.run(breve, { version: "0.2.0" }), Effect.provide(Layer.merge(Node.layer, config)), Node.runMain)

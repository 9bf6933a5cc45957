/**
 * The command `breve train`: compares quantizers on two networks, or trains networks of small widths by their recipe.
 *
 * Room: cli (level 6). Imports: tfjs, effect, `backend`, `exchange`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Data, Effect, Option, Result, type Scope } from "effect"
import { Command, Flag } from "effect/cli"
import * as Backend from "../backend/Backend.ts"
import * as OnnxRuntime from "../exchange/OnnxRuntime.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import * as Certified from "./Certified.ts"
import * as Digits from "./Digits.ts"
import * as Experiment from "./Experiment.ts"
import * as Exported from "./Exported.ts"
import * as Folder from "./Folder.ts"
import * as Networks from "./Networks.ts"
import * as Output from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Recipe from "./Recipe.ts"
import * as Report from "./Report.ts"
import * as Saved from "./Saved.ts"
import * as Schemes from "./Schemes.ts"

/** Tensors were left behind: a defect of breve that a run reports of itself. */
class TensorsLeaked extends Data.TaggedError("TensorsLeaked")<{ readonly count: number }> {
  override get message(): string {
    return `${this.count} tensors were not released; this is a defect of breve`
  }
}

const percent = (value: number | undefined): string => (value === undefined ? "–" : `${value.toFixed(2)} %`)

const drawn = "drawn digits"

const flags = {
  data: Flag.optional(
    Flag.withDescription(
      Flag.String("data"),
      "folder with MNIST-style IDX files, raw or gzipped; default: drawn digits"
    )
  ),
  epochs: Flag.optional(
    Flag.withDescription(
      Flag.Int("epochs"),
      "passes over the images; default: 6 for the float networks, 40 for those of 1 and 2 bits"
    )
  ),
  seed: Flag.withDescription(Flag.withDefault(Flag.Int("seed"), 1), "the same seed gives the same numbers"),
  quantizer: Flag.withDescription(
    Flag.atLeast(Flag.String("quantizer"), 0),
    `which quantizers to compare, repeatable: ${Schemes.names.join(", ")}; default: all`
  ),
  network: Flag.withDescription(
    Flag.atLeast(Flag.String("network"), 0),
    `train this network alone, repeatable: ${Networks.names.join(", ")}`
  ),
  out: Flag.withDescription(Flag.withDefault(Flag.String("out"), "breve-out"), "folder for what comes of it")
}

interface Asked {
  readonly data: Option.Option<string>
  readonly epochs: number
  readonly seed: number
  readonly out: string
}

const read = ({ data, seed }: Asked) =>
  Option.match(data, {
    onNone: () => Effect.sync(() => Folder.split(Digits.make(seed, 6000))),
    onSome: Folder.read
  })

/** Runs in a Scope of its own, and complains of tensors that stay. */
const withoutLeaks = <A, E, R>(
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TensorsLeaked, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const before = tf.memory().numTensors
    const answer = yield* Effect.scoped(work)
    const left = tf.memory().numTensors - before
    return left === 0 ? answer : yield* new TensorsLeaked({ count: left })
  })

const finish = (
  out: string,
  headers: ReadonlyArray<string>,
  cells: ReadonlyArray<ReadonlyArray<string>>,
  files: Output.Files
) =>
  Effect.andThen(
    Output.writeAll(out, files),
    Progress.print(`\n${Progress.table(headers, cells)}\n\nwritten to ${out}: ${Object.keys(files).join(", ")}`)
  )

// ---- quantizers compared ------------------------------------------------------------------------------------

const schemeOf = (wanted: string): Effect.Effect<Schemes.Scheme, Schemes.UnknownQuantizer> => {
  const scheme = Schemes.find(wanted)
  return scheme === undefined
    ? Effect.fail(new Schemes.UnknownQuantizer({ wanted, known: Schemes.names }))
    : Effect.succeed(scheme)
}

/** The float networks that networks begin as. */
const beginnings = (networks: ReadonlyArray<Networks.Network>): ReadonlyArray<string> =>
  networks.flatMap(({ training }) => (training.by === "tuning" ? [`${training.shape}-float`] : []))

/** The files of a comparison, by the networks in it. */
const filesOf = (networks: ReadonlyArray<Networks.Network>): ReadonlyArray<string> => [
  "report.html",
  ...new Set([
    ...beginnings(networks).flatMap((name) => [`${name}.safetensors`, `${name}.onnx`]),
    ...networks.flatMap(({ name }) =>
      ["safetensors", "onnx", "qonnx.onnx", "certificate.json", "qonnx.certificate.json"].map(
        (ending) => `${name}.${ending}`
      )
    )
  ])
]

/** Runs with the runtime that files are verified in, or without it where it is not installed, and says so. */
const withRuntime = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const runtime = yield* Effect.result(Effect.provide(OnnxRuntime.OnnxRuntime, OnnxRuntime.layer))
    if (Result.isSuccess(runtime)) return yield* Effect.provideService(work, OnnxRuntime.OnnxRuntime, runtime.success)
    yield* Progress.print(`QCDQ files are exported, but not verified: ${runtime.failure.message}`)
    return yield* work
  })

const compare = (asked: Asked, networks: ReadonlyArray<Networks.Network>) =>
  Effect.gen(function* () {
    yield* Output.check(asked.out, filesOf(networks))
    const { train, test } = yield* read(asked)
    const { epochs, seed } = asked
    const result = yield* withoutLeaks(withRuntime(Experiment.run({ train, test, epochs, seed, networks })))
    const settings = [
      ["data", Option.getOrElse(asked.data, () => drawn)],
      ["images", `${train.count} to train, ${test.count} to test`],
      ["epochs", `${epochs}`],
      ["seed", `${seed}`],
      ["backend", tf.getBackend()]
    ] as const
    const states = Object.entries(result.states).map(
      ([name, state]) => [`${name}.safetensors`, Saved.encode(name, train, state)] as const
    )
    const floats = Object.entries(result.floats).map(([name, bytes]) => [`${name}.onnx`, bytes] as const)
    const headers = ["network", "accuracy", "after fine-tuning", "weight bytes", "ms per step"]
    const cells = result.rows.map((row) => [
      row.name,
      percent(row.accuracyBefore),
      percent(row.accuracyAfter),
      `${row.weightBytes}`,
      row.msPerStep === undefined ? "–" : row.msPerStep.toFixed(1)
    ])
    yield* Output.writeAll(asked.out, {
      "report.html": Report.html({ title: "Digits, quantized", settings, ...result }),
      ...Object.fromEntries([...states, ...floats]),
      ...Object.assign({}, ...result.shipped.map(({ files }) => files))
    })
    yield* Progress.print(`\n${Progress.table(headers, cells)}`)
    for (const { title, headers: names, cells: rows, text } of Exported.tables(result.shipped))
      yield* Progress.print(`\n${title}\n\n${Progress.table(names, rows)}\n\n${text}`)
    yield* Progress.print(
      `\nwritten to ${asked.out}: report.html, and for each network its state, files and certificate`
    )
    const failed = result.shipped.flatMap(({ certificates }) => certificates).find(({ certified }) => !certified)
    if (failed !== undefined) return yield* Certified.failureOf(failed)
  })

// ---- networks trained ---------------------------------------------------------------------------------------

/** The epochs of a training as comma-separated values. */
const table = (epochs: ReadonlyArray<Recipe.Epoch>): string =>
  ["epoch,loss,accuracy,seconds", ...epochs.map((e) => `${e.epoch},${e.loss},${e.accuracy},${e.seconds}`), ""].join(
    "\n"
  )

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const learn = (asked: Asked, networks: ReadonlyArray<Networks.Network>) =>
  Effect.gen(function* () {
    const names = networks.flatMap(({ name }) => [`${name}.safetensors`, `${name}.csv`])
    yield* Output.check(asked.out, names)
    const { train, test } = yield* read(asked)
    const { epochs, seed } = asked
    const results = yield* Effect.forEach(networks, ({ name, make }) =>
      withoutLeaks(
        Effect.gen(function* () {
          const model = yield* make(train, seed)
          return { name, ...(yield* Recipe.run(name, model, { train, test, epochs, seed })) }
        })
      )
    )
    const headers = ["network", "best accuracy", "in epoch", "last accuracy", "s per epoch"]
    const cells = results.map(({ name, best, epochs: all }) => [
      name,
      percent(best.accuracy),
      `${best.epoch}`,
      percent(all.at(-1)?.accuracy),
      median(all.map(({ seconds }) => seconds)).toFixed(2)
    ])
    const files = results.flatMap(
      ({ name, state, epochs: all }): ReadonlyArray<readonly [string, string | Uint8Array]> => [
        [`${name}.safetensors`, Saved.encode(name, train, state)],
        [`${name}.csv`, table(all)]
      ]
    )
    yield* finish(asked.out, headers, cells, Object.fromEntries(files))
  })

/** Every network that is quantized so; by any scheme where none is named. */
const compared = (schemes: ReadonlyArray<Schemes.Scheme>): ReadonlyArray<Networks.Network> =>
  Networks.all.filter(
    ({ training }) =>
      training.by === "tuning" &&
      training.scheme !== undefined &&
      (schemes.length === 0 || schemes.includes(training.scheme))
  )

// ---- the command --------------------------------------------------------------------------------------------

const invalid = (option: string, reason: string) => new InvalidOptions({ what: "breve train", option, reason })

export const command = Command.make("train", flags, (given) =>
  Effect.gen(function* () {
    const schemes = yield* Effect.forEach(new Set(given.quantizer), schemeOf)
    const networks = yield* Effect.forEach(new Set(given.network), Networks.find)
    if (networks.length > 0 && schemes.length > 0)
      return yield* invalid("quantizer", "has no use with --network: the name of a network says how it is quantized")
    const isSmall = networks[0]?.training.by === "recipe"
    if (networks.some(({ training }) => (training.by === "recipe") !== isSmall))
      return yield* invalid(
        "network",
        "names networks that are trained in different ways; train them one after the other"
      )
    const epochs = Option.getOrElse(given.epochs, () => (isSmall ? 40 : 6))
    if (epochs < 1) return yield* invalid("epochs", `has to be 1 or more, not ${epochs}`)
    const asked: Asked = { data: given.data, epochs, seed: given.seed, out: given.out }
    if (isSmall) return yield* learn(asked, networks)
    yield* compare(asked, networks.length > 0 ? networks : compared(schemes))
  }).pipe(Effect.provide(Backend.layer))
).pipe(
  Command.withDescription(
    "Train digit classifiers, quantize them in several ways, and compare them; or train networks of 1 and 2 bits."
  )
)

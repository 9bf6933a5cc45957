/**
 * The catalogue as a page of tables: `docs/catalogue.md` is generated from the declarations (`npm run catalogue`).
 *
 * Room: cli (level 6). Imports: effect, `quant`, its own room.
 */
import { Effect } from "effect"
import type * as Injector from "../inject/Injector.ts"
import * as Catalogue from "../quant/Catalogue.ts"
import * as Measure from "./Measure.ts"
import * as Words from "./Words.ts"

/** The texts of the files of the families, by their paths from the root of the package. */
export type Sources = Readonly<Record<string, string>>

const heading = `# Catalogue

Every ready-made quantizer, by family: \`breve inspect\` lists them too, \`breve inspect NAME\` shows how one is wired, and
\`--json\` prints these facts for programs. This page is generated from the declarations by \`npm run catalogue\`; a test fails
when it is out of date.

## How to read it

- **Name** links to the declaration. Take it as it is, or vary it: \`Injector.let(Int8WeightPerTensorFloat, { bitWidth: 4 })\`.
- **For** is the tensor of a layer that it is made for.
- **Format** and **range**: what a value may be before it is multiplied by the scale. _Narrow_ integers lack the lowest one, so
  that the range is symmetric around 0. Minifloats are named by their exponent and mantissa bits; the sign is one bit more.
- **Scale**: which values it may take, and for what there is one of its own: the tensor, each output channel (of activations:
  each channel), each group of neighbouring values, or each row (each token, say). Of a power of two, how the exponent is rounded.
- **From**: where the scale comes from, and what is measured to find it. A _learned_ scale is a parameter of training; after a
  number of steps means that it begins as the statistic of as many batches. A search tries many scales and keeps the best one.
- **Zero-point**: the integer that stands for 0.
- **Rounding** is what happens between integers.
- **Learned** and **running** count the numbers that training changes and that are collected along the way.
- **Needs** are the names that a resolution must be given. A layer gives \`module\`; the rest is yours to add with \`let\`. The
  input's scale and such come with the quant tensor that runs through the layer.
- **Bytes** is the room that a million weights take, a matrix of 1000 by 1000: the packed values; four bytes for each scale, one
  where it is a power of two; a zero-point in as many bytes as its bits need, four where it is not rounded. Float weights take
  4 000 000.
`

const columns = [
  "Name",
  "For",
  "Format",
  "Range",
  "Scale",
  "From",
  "Zero-point",
  "Rounding",
  "Learned",
  "Running",
  "Needs",
  "Bytes"
]

/** The line, counted from 1, on which a file declares a name; the first one if it does not say so. */
export const lineOf = (text: string, name: string): number => {
  const lines = text.split("\n")
  const word = new RegExp(`\\b${name}\\b`)
  const declared = lines.findIndex((line) => /^(export )?const\b/.test(line) && word.test(line.split("=")[0] ?? ""))
  return 1 + Math.max(0, declared >= 0 ? declared : lines.findIndex((line) => word.test(line)))
}

const escaped = (text: string): string => text.replaceAll("|", "\\|")
const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(escaped).join(" | ")} |`

const entryRow = (name: string, entry: Injector.Any, measured: Measure.Measured | undefined, link: string): string => {
  const facts = Catalogue.facts(entry)
  const { slot, scale, zeroPoint, rounding } = facts
  const from =
    scale === undefined ? [] : [Words.origin(scale), ...(scale.statistic === undefined ? [] : [scale.statistic])]
  return row([
    `[${name}](${link})`,
    slot ?? "–",
    Words.format(facts),
    Words.range(facts),
    scale === undefined ? "–" : `${Words.restriction(scale)}, per ${Words.granularity(scale)}`,
    from.length === 0 ? "–" : from.join(": "),
    scale === undefined ? "–" : Words.zeroPoint(zeroPoint),
    rounding ?? "–",
    measured === undefined ? "–" : Words.count(measured.learned),
    measured === undefined ? "–" : Words.count(measured.running),
    Words.needs(facts, measured),
    Words.bytes(facts)
  ])
}

/** The whole page. The tensors of the example layer need a backend. */
export const page = (sources: Sources): Effect.Effect<string> =>
  Effect.gen(function* () {
    const sections = yield* Effect.forEach(Object.entries(Catalogue.families), ([family, entries]) =>
      Effect.gen(function* () {
        const file = Catalogue.fileOf(family)
        // in the order of the file: that of a module's names depends on who loads it
        const placed = Object.entries(entries)
          .map(([name, entry]) => ({ name, entry, line: lineOf(sources[file] ?? "", name) }))
          .sort((a, b) => a.line - b.line || (a.name < b.name ? -1 : 1))
        const rows = yield* Effect.forEach(placed, ({ name, entry, line }) =>
          Effect.map(Measure.measure(entry), (measured) => entryRow(name, entry, measured, `../${file}#L${line}`))
        )
        return [`## ${family}`, "", row(columns), row(columns.map(() => "---")), ...rows, ""].join("\n")
      })
    )
    const total = Object.keys(Catalogue.entries).length
    return `${[heading, `${total} quantizers in ${sections.length} families.`, "", ...sections].join("\n").trimEnd()}\n`
  })

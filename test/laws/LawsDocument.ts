/**
 * The page `docs/laws.md`: every entry of the catalogue, every law of tensor quantizers, from a run.
 */
import { Effect, type ManagedRuntime } from "effect"
import * as GradientLaws from "../../laws/GradientLaws.ts"
import type * as Law from "../../laws/Law.ts"
import * as TensorQuantizerLaws from "../../laws/TensorQuantizerLaws.ts"
import type * as Backend from "../../src/backend/Backend.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import type * as Pack from "./Pack.ts"

/** Where the page is. */
export const file = new URL("../../docs/laws.md", import.meta.url)

export const laws = [...TensorQuantizerLaws.all, ...GradientLaws.all]

/** What each law says of an entry, in their order. */
export type Verdicts = ReadonlyArray<Law.Verdict>

/** Runs every law of one entry. */
export const verdicts = (name: string, options: Law.Options): Effect.Effect<Verdicts, unknown, Backend.Backend> =>
  Effect.flatMap(
    TensorQuantizerLaws.resolved(
      TensorQuantizerLaws.subject(Catalogue.entries[name] as (typeof Catalogue.entries)[string])
    ),
    (subject) => TensorQuantizerLaws.verdicts(laws, subject, options)
  ).pipe(Effect.scoped)

/** The whole catalogue as a pack. */
export const catalogued = (runtime: ManagedRuntime.ManagedRuntime<Backend.Backend, unknown>): Pack.Any => ({
  name: "Catalogue",
  parts: Object.keys(Catalogue.entries).map((subject) => ({
    subject,
    rows: async (options) => {
      const found = await runtime.runPromise(verdicts(subject, options))
      return laws.map((law, i) => ({ law, subject, verdict: found[i] as Law.Verdict }))
    }
  }))
})

// ---- the page -----------------------------------------------------------------------------------------------

const heading = `# Laws of the catalogue

What every ready-made quantizer keeps, from a run of \`npm run laws -- --write\`. \`breve laws NAME\` runs them for one entry, or for
a quantizer of your own, as [the guide](guide/laws.md) shows. A test fails when an entry breaks a law that is claimed of it, or when
this page is out of date.

Claims come from the facts of a declaration, not from what was found: a law is claimed of every quantizer to which its
conditions apply, and each condition that does not apply is a reason with a letter.
`

const explanations = `## The exceptions

- **Decoupled, weight-normalized and accumulator-aware quantizers are not idempotent, ours no more than those of Brevitas.** They round
  with one scale and multiply with another, so that multiples of the second one are rounded on the grid of the first. Asked to keep the
  law all the same, all but one break it: \`Int4WeightPerTensorFloatDecoupled\`, whose rounding scale is the norm of its channels'
  largest values, makes 0.24 of a 1 beside 6.34, and then 0.48 of 0.24. \`Int8WeightPerChannelFloatDecoupled\` keeps it: its rounding
  scale is the largest magnitude of the channel, which lands on the highest code each time.
- **Decoupled quantizers have no least scale.** Where a tensor is all zeros they divide zero by zero, and answer NaN as Brevitas does;
  laws about grids look at elements that have one.
- **max − min is no symmetric statistic.** As in Brevitas the smallest element counts as 0 where it is positive. A tensor of negative
  numbers alone has the distance of its largest and its smallest as its range, so that it is cut off far from where it lies: take a
  quantizer with a zero-point for such tensors, or one with max |x|.
- **Powers of two need not come back.** The largest magnitude of a quantized tensor may be below a power of two where that of the tensor
  was above it. Where the scale is the same, the values are: that is the law _idempotent_.
- **Minifloats have a gradient of their own**, \`y/u\` of the rounded and the exact position, as in Brevitas; the law _straight through_
  is about integers, _minifloat gradient_ about them.
- **Zero-centring quantizers move zero:** the mean of each channel is taken away before rounding and does not come back.
`

const reasonsOf = (rows: ReadonlyArray<Verdicts>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const verdict of rows.flat())
    if (verdict.kind === "not claimed") counts.set(verdict.reason, (counts.get(verdict.reason) ?? 0) + 1)
  return [...counts.keys()].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || (a < b ? -1 : 1))
}

const letters = "abcdefghijklmnopqrstuvwxyz"
const letterOf = (i: number): string => (i < 26 ? "" : letters[Math.floor(i / 26) - 1]) + (letters[i % 26] as string)
const escaped = (text: string): string => text.replaceAll("|", "\\|")
const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(escaped).join(" | ")} |`

/** The whole page, from what was found for each entry. */
export const page = (found: Readonly<Record<string, Verdicts>>): string => {
  const reasons = reasonsOf(Object.values(found))
  const cell = (verdict: Law.Verdict): string =>
    verdict.kind === "kept" ? "✓" : verdict.kind === "broken" ? "**broken**" : letterOf(reasons.indexOf(verdict.reason))
  const all = Object.values(found)
  const numbered = laws.map((law, i) => {
    const kept = all.filter((verdicts) => verdicts[i]?.kind === "kept").length
    return row([
      String(i + 1),
      `**${law.name}**`,
      `\`${law.states}\``,
      law.claimed ?? "always",
      `${kept} of ${all.length}`
    ])
  })
  const head = ["", ...laws.map((_, i) => String(i + 1))]
  const families = Object.entries(Catalogue.families).map(([family, entries]) => {
    const rows = Object.keys(entries)
      .sort()
      .map((name) => row([name, ...(found[name] ?? []).map(cell)]))
    return [`### ${family}`, "", row(head), row(head.map(() => "---")), ...rows, ""].join("\n")
  })
  return `${[
    heading,
    "## The laws",
    "",
    "`q` quantizes, with scale `s`, zero-point `z` and `b` bits; `u` is the position before rounding.",
    "",
    row(["", "Law", "Formula", "Claimed", "Kept by"]),
    row(["---", "---", "---", "---", "---"]),
    ...numbered,
    "",
    explanations,
    "## Reasons why a law is not claimed",
    "",
    ...reasons.map((reason, i) => `- **${letterOf(i)}**: ${reason}`),
    "",
    "## The table",
    "",
    "Each column is a law by its number; ✓ is kept, a letter is the reason why it is not claimed.",
    "",
    ...families
  ]
    .join("\n")
    .trimEnd()}\n`
}

/**
 * The report of a quantization by a recipe as one HTML file: what each step did, how sensitive the layers are, whether it is certified.
 *
 * The same data gives the same text. Room: cli (level 6). Imports: `exchange` types, `ptq`, ./Charts, ./Quantizing, ./Report.
 */
import type * as Certificate from "../exchange/Certificate.ts"
import * as Noise from "../ptq/Noise.ts"
import * as Recipe from "../ptq/Recipe.ts"
import * as Sensitivity from "../ptq/Sensitivity.ts"
import * as Structure from "../ptq/Structure.ts"
import * as Charts from "./Charts.ts"
import type * as Quantizing from "./Quantizing.ts"
import * as Report from "./Report.ts"

interface File {
  readonly file: string
  /** why it is QONNX, and not QCDQ */
  readonly instead?: string
}

/** How the quantized network left: as a file that was checked, as one that was not, or not at all, and why. */
export type Exported =
  | ({ readonly as: "certificate"; readonly certificate: Certificate.Certificate } & File)
  | ({ readonly as: "file"; readonly reason: string } & File)
  | { readonly as: "nothing"; readonly reason: string }

export interface QuantizeData {
  readonly title: string
  readonly settings: ReadonlyArray<readonly [name: string, value: string]>
  readonly recipe: Recipe.Recipe
  readonly result: Pick<Quantizing.Result, "float" | "stages" | "sensitivity" | "structure">
  readonly exported: Exported
}

const { escapeHtml, colours } = Charts

// ---- pieces -------------------------------------------------------------------------------------------------

/** A table of plain texts, the first cell of each row its name. */
const table = (headers: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const row = ([name = "", ...others]: ReadonlyArray<string>): string =>
    `<tr><th scope="row">${escapeHtml(name)}</th>${others.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`
  return `<table><thead><tr>${headers.map((header) => `<th scope="col">${escapeHtml(header)}</th>`).join("")}</tr></thead>
<tbody>${rows.map(row).join("\n")}</tbody></table>`
}

/** The rows of what each step did, the float network first. */
export const stageCells = ({ float, stages }: QuantizeData["result"]): ReadonlyArray<ReadonlyArray<string>> => [
  ["float", float.toFixed(2), "∞", "–"],
  ...stages.map(({ name, accuracy, noise, layers }) => [
    name,
    accuracy.toFixed(2),
    Noise.shown(noise),
    layers.length === 0 ? "–" : `${layers.length}`
  ])
]

export const stageHeaders: ReadonlyArray<string> = ["after", "accuracy (%)", "output SNR (dB)", "changed"]

/** The rows of the quantizers that the recipe has put somewhere. */
export const quantizerCells = ({
  structure
}: Pick<Quantizing.Result, "structure">): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(Structure.quantizersIn(structure)).map(([name, { quantizer, options = {} }]) => [
    name,
    quantizer ?? "none",
    Object.entries(options)
      .map(([option, value]) => `${option} ${value}`)
      .join(", ")
  ])

export const quantizerHeaders: ReadonlyArray<string> = ["place", "quantizer", "with"]

const skipped = (stages: QuantizeData["result"]["stages"]): string => {
  const all = stages.flatMap(({ name, skipped }) =>
    skipped.map(({ layer, reason }) => `<li>${escapeHtml(`${name}: ${layer || "the model"}: ${reason}`)}</li>`)
  )
  return all.length === 0 ? "" : `<h3>Left as they are</h3>\n<ul>${all.join("\n")}</ul>`
}

/** Ratios of the layers as bars: alone at their own outputs and at the network's, and together. */
export const chart = (name: string, { rows }: Sensitivity.Sensitivity): string => {
  const bars = (label: string, colour: string, of: (row: Sensitivity.Row) => Noise.Noise) => ({
    type: "bar",
    name: label,
    barMaxWidth: 12,
    barGap: "10%",
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    // a layer that loses nothing has no bar
    data: rows.map((row) => {
      const ratio = Noise.decibels(of(row))
      return Number.isFinite(ratio) ? Number(ratio.toFixed(2)) : "-"
    }),
    label: { show: true, position: "right", color: colours.ink, fontSize: 11 }
  })
  return Charts.svg(name, "Signal-to-noise ratios of the layers", 930, 56 + 56 * Math.max(1, rows.length), {
    grid: { left: 230, right: 50, top: 8, bottom: 44 },
    xAxis: { type: "value", ...Charts.axis("signal to noise (dB)", 28) },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map(({ layer }) => layer),
      ...Charts.axis("", 0),
      axisLabel: { color: colours.ink, fontSize: 12, width: 210, overflow: "truncate", interval: 0 }
    },
    series: [
      bars("alone, its own output", colours.before, ({ own }) => own),
      bars("alone, the network's output", colours.after, ({ network }) => network),
      bars("all together, its own output", colours.faint, ({ joint }) => joint)
    ]
  })
}

const key = (colour: string, text: string): string =>
  `<span class="key"><i class="before" style="background: ${colour}"></i> ${text}</span>`

const exportedText = (exported: Exported): string => {
  if (exported.as === "nothing") return `<p>No ONNX file was written: ${escapeHtml(exported.reason)}</p>`
  const file = escapeHtml(exported.file)
  const instead =
    exported.instead === undefined
      ? ""
      : `\n<p>It is in QONNX, whose nodes not every runtime knows: ${escapeHtml(exported.instead)}</p>`
  if (exported.as === "file")
    return `<p>${file} was written, but not checked: ${escapeHtml(exported.reason)}</p>${instead}`
  const { certified, rule, runtime, comparisons, inputs } = exported.certificate
  const rows = comparisons.map(({ between, outputs, equal, differingInputs, explained, sameClass, classes }) => [
    between.join(" and "),
    `${equal} of ${outputs}`,
    `${differingInputs}`,
    `${explained}`,
    `${sameClass} of ${classes}`
  ])
  const headers = ["compared", "equal outputs", "differing inputs", "explained by ties", "same class"]
  return `<p><strong>${certified ? "Certified" : "Not certified"}</strong>: ${file} in ${escapeHtml(`${runtime.name} ${runtime.version}`)}
on ${inputs.count} images. ${escapeHtml(rule)}</p>${instead}\n<div class="wide">${table(headers, rows)}</div>`
}

// ---- the page -----------------------------------------------------------------------------------------------

export const html = ({ title, settings, recipe, result, exported }: QuantizeData): string =>
  Report.page(
    title,
    `${Report.settings(settings)}
${recipe.needsTraining === undefined ? "" : `<p><strong>This recipe needs training on:</strong> ${escapeHtml(recipe.needsTraining)}.</p>\n`}${Report.section(
  "Steps",
  `Accuracy is the share of held-out images that the network names correctly. The output's signal-to-noise ratio compares it with the
float network on the calibration samples: 6 dB are one bit. Before a calibration, activations have no scales of their own.`,
  `<div class="wide">${table(stageHeaders, stageCells(result))}</div>\n${skipped(result.stages)}`
)}${Report.section(
  "Quantizers",
  "What the recipe has put where; places that it does not name are as the network had them.",
  `<div class="wide">${table(quantizerHeaders, quantizerCells(result))}</div>`
)}${Report.section(
  "Sensitivity",
  `What each layer loses by its quantizers: ${key(colours.before, "alone, at its own output")}, ${key(colours.after, "alone, at the network's output")},
and ${key(colours.faint, "at its own output when all layers are quantized")}. The whole network: ${Noise.shown(result.sensitivity.network)} dB.`,
  `<div class="wide">${chart("sensitivity", result.sensitivity)}</div>
<div class="wide">${table(Sensitivity.headers, Sensitivity.cells(result.sensitivity))}</div>`
)}${Report.section("Export", "The quantized network as a file for others.", exportedText(exported))}${Report.section(
  "Recipe",
  "The recipe as it was followed; saved as a file, it gives the same bits again on the same network and data.",
  `<pre>${escapeHtml(Recipe.encode(recipe))}</pre>`
)}`
  )

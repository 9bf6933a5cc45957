/**
 * The report of a run as one HTML file that needs nothing else: no network, no script, charts as SVG.
 *
 * The same data gives the same text: no dates, no random ids.
 *
 * Room: cli (level 6). Imports: `./Charts.ts`, `./Exported.ts`.
 */
import * as Charts from "./Charts.ts"
import * as Exported from "./Exported.ts"
import type { Shipped } from "./Shipped.ts"

// ---- model --------------------------------------------------------------------------------------------------

/** All that a report shows; texts are plain text, never HTML. */
export interface ReportData {
  readonly title: string
  /** what the run was started with: a name and a value each */
  readonly settings: ReadonlyArray<readonly [name: string, value: string]>
  /** the float network first */
  readonly rows: ReadonlyArray<Charts.Row>
  readonly histograms: ReadonlyArray<Charts.Histogram>
  readonly staircases: ReadonlyArray<Charts.Staircase>
  readonly shipped: ReadonlyArray<Shipped>
}

// ---- pieces -------------------------------------------------------------------------------------------------

const { escapeHtml, colours } = Charts

const style = `
:root { color-scheme: light; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 960px; background: #fff; color: ${colours.ink};
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .4rem; padding-top: 1rem; border-top: 1px solid ${colours.rule}; }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
p { margin: .3rem 0 .9rem; max-width: 46rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; margin: 0; }
dt { color: ${colours.faint}; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid ${colours.rule}; text-align: right; vertical-align: bottom; }
th { font-weight: 600; font-size: .87rem; line-height: 1.3; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody th { font-size: inherit; line-height: inherit; }
th:last-child, td:last-child { padding-right: 0; }
svg { display: block; max-width: 100%; height: auto; }
tbody th, tbody td { white-space: nowrap; }
.wide { overflow-x: auto; } .wide svg { min-width: 680px; }
.many { display: grid; grid-template-columns: repeat(auto-fill, minmax(218px, 1fr)); gap: .6rem 1rem; }
.few { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: .8rem 1rem; }
.key { white-space: nowrap; }
.before, .after { display: inline-block; width: .8em; height: .8em; margin: 0 .15em 0 .1em; }
.before { background: ${colours.before}; } .after { background: ${colours.after}; }
@media print { body { padding: 0; } h2, h3 { break-after: avoid; } svg, tr { break-inside: avoid; } }
`

/** A piece of a caption with the colour that it names. */
const key = (colour: "before" | "after", text: string): string =>
  `<span class="key"><i class="${colour}"></i> ${text}</span>`

/** Names and values, one below the other. */
export const settings = (pairs: ReportData["settings"]): string =>
  `<dl>${pairs.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("\n")}</dl>`

const fixed = (value: number | undefined, digits: number): string => (value === undefined ? "–" : value.toFixed(digits))

/** Bytes in groups of three digits, with narrow spaces that do not break. */
const bytes = (count: number): string => `${Math.round(count)}`.replace(/\B(?=(\d{3})+$)/g, "\u202f")

const results = (rows: ReadonlyArray<Charts.Row>): string => {
  const float = rows[0]?.weightBytes
  const line = (row: Charts.Row): string => {
    const smaller = float === undefined || row.weightBytes <= 0 ? undefined : float / row.weightBytes
    const cells = [
      fixed(row.accuracyBefore, 2),
      fixed(row.accuracyAfter, 2),
      bytes(row.weightBytes),
      smaller === undefined ? "–" : `${smaller.toFixed(1)} ×`,
      fixed(row.msPerStep, 1)
    ]
    return `<tr><th scope="row">${escapeHtml(row.name)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`
  }
  const headers = [
    "network",
    "accuracy after quantizing (%)",
    "accuracy after fine-tuning (%)",
    "weights (bytes)",
    "smaller than the first",
    "training step (ms)"
  ]
  return `<table><thead><tr>${headers.map((header) => `<th scope="col">${header}</th>`).join("")}</tr></thead>
<tbody>${rows.map(line).join("\n")}</tbody></table>`
}

const histograms = (all: ReportData["histograms"]): string =>
  [...new Set(all.map(({ quantizer }) => quantizer))]
    .map((quantizer, q) => {
      const charts = all
        .filter((one) => one.quantizer === quantizer)
        .map((one, i) => Charts.histogram(`histogram-${q}-${i}`, one))
      return `<h3>${escapeHtml(quantizer)}</h3>\n<div class="many">${charts.join("\n")}</div>`
    })
    .join("\n")

/** A table whose first column names its rows; an empty name goes on with the row before. */
const plain = ({ headers, cells }: Exported.Table): string => {
  const row = ([name = "", ...others]: ReadonlyArray<string>): string =>
    `<tr><th scope="row">${escapeHtml(name)}</th>${others.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`
  const head = headers.map((header) => `<th scope="col">${escapeHtml(header)}</th>`).join("")
  return `<div class="wide"><table><thead><tr>${head}</tr></thead>\n<tbody>${cells.map(row).join("\n")}</tbody></table></div>`
}

/** A part of a page; without content there is none. */
export const section = (title: string, text: string, content: string): string =>
  content === "" ? "" : `<section><h2>${title}</h2>\n<p>${text}</p>\n${content}\n</section>\n`

// ---- the page -----------------------------------------------------------------------------------------------

/** A page that needs nothing else; `body` is HTML, the title plain text. */
export const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}</body>
</html>
`

/** The whole report. Sections without data are left out. */
export const html = (data: ReportData): string =>
  page(
    data.title,
    `${settings(data.settings)}
${section(
  "Results",
  `Accuracy is the share of held-out images that a network names correctly: right after its numbers were quantized, and after it was
trained on for a while with the quantizer in place. Weights are counted as they would be stored.`,
  data.rows.length === 0 ? "" : `<div class="wide">${results(data.rows)}</div>`
)}${section(
  "Accuracy",
  `The same accuracies as bars: ${key("before", "right after quantizing")}, ${key("after", "after fine-tuning")}. The float network, as trained, has one bar.`,
  data.rows.length === 0 ? "" : `<div class="wide">${Charts.accuracies("accuracies", data.rows)}</div>`
)}${Exported.tables(data.shipped)
  .map((table) => section(escapeHtml(table.title), escapeHtml(table.text), plain(table)))
  .join("")}${section(
  "Quantizers as functions",
  "What a quantizer (solid) makes of every input. The dashed line is no quantization: the nearer the stairs are to it, the smaller the error; fewer steps need fewer bits.",
  data.staircases.length === 0
    ? ""
    : `<div class="few">${data.staircases.map((one, i) => Charts.staircase(`staircase-${i}`, one)).join("\n")}</div>`
)}${section(
  "Weights",
  `How the weights of each layer are distributed ${key("before", "before")} (upwards) and
${key("after", "after quantizing")} (downwards). Each half is scaled to its own tallest bar, so compare shapes, not heights.`,
  histograms(data.histograms)
)}`
  )

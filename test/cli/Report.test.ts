/** Report.ts and Charts.ts: self-contained, escaped, the same text for the same data, everything in it. */
import { describe, expect, it } from "vitest"
import * as Report from "../../src/cli/Report.ts"
import type * as Shipped from "../../src/cli/Shipped.ts"

const nasty = `<img src="http://x" onerror='alert(1)'> & {a|b} zr0-c1`
const input = Array.from({ length: 101 }, (_, i) => -1.5 + (3 * i) / 100)

const size = (bytes: number) => ({ bytes, gzip: bytes / 2 })
const comparison = {
  outputs: 50,
  equal: 48,
  largestDifference: 3,
  offGrid: 0,
  differingInputs: 1,
  explained: 1,
  turned: 1,
  unexplained: [],
  sameClass: 5,
  classes: 5
}
const shipped = (name: string): Shipped.Shipped => ({
  name,
  files: {},
  sizes: { float: size(437_000), qcdq: size(110_000), packed: size(58_000), qonnx: size(438_000) },
  certificates: [
    {
      format: "breve certificate 1",
      certified: true,
      rule: "Certified if <all> is well.",
      model: { file: `${name}.onnx`, bytes: 58_000, sha256: "00", dialect: "QCDQ", opset: 21 },
      runtime: { name: "onnxruntime-web", version: "1.30.0" },
      inputs: { count: 5, shape: [28, 28, 1], sha256: "11" },
      outputs: { shape: [10], scale: [0.5], zeroPoint: 0, low: -9, high: 9, sha256: "22" },
      ties: { distance: 0.001, attempts: 500 },
      comparisons: [
        { between: ["the file in the runtime", "the integers"], ...comparison },
        { between: ["the model in training", "the integers"], ...comparison, equal: 50 }
      ]
    }
  ],
  latency: { float: 0.05, quantized: 0.1, runs: 60 }
})
const data: Report.ReportData = {
  title: "A run",
  settings: [
    ["seed", "1"],
    ["network", "conv 8 & dense 10"]
  ],
  rows: [
    { name: "float", accuracyBefore: 96.35, accuracyAfter: undefined, weightBytes: 205_000, msPerStep: 11.24 },
    { name: "Int4", accuracyBefore: 94.1, accuracyAfter: 96, weightBytes: 25_625, msPerStep: undefined }
  ],
  histograms: ["conv", "dense"].map((layer) => ({
    quantizer: "Int4",
    layer,
    edges: [-1, -0.5, 0, 0.5, 1],
    before: [1, 5, 4, 2],
    after: [0, 6, 6, 0]
  })),
  staircases: [
    { quantizer: "Int4", input, output: input.map((x) => Math.max(-1, Math.min(0.875, Math.round(x * 8) / 8))) }
  ],
  shipped: [shipped("mlp-int4")]
}
const page = Report.html(data)
const words = page.replace(/<style>[\s\S]*?<\/style>/, "").replace(/<[^>]+>/g, " ")

describe("Report.html", () => {
  it("needs nothing from anywhere: no address, script or import but the names of SVG", () => {
    const rest = page.replaceAll(/xmlns(:xlink)?="http:\/\/www\.w3\.org\/[^"]+"/g, "")
    expect(rest).not.toMatch(/https?:|\/\/[a-z]|@import|<script|<link|<img|<iframe|src=|href=|url\((?!#)/i)
  })

  it("is the same for the same data, however many charts were drawn before", () => {
    expect(Report.html(structuredClone(data))).toBe(page)
  })

  it("has no id twice and no reference to an id that is not there", () => {
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    const references = [...page.matchAll(/url\(#([^)]+)\)/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(references.length).toBeGreaterThan(0)
    for (const reference of references) expect(ids).toContain(reference)
  })

  it("is well formed: every element is closed, in order", () => {
    const empty = new Set(["meta", "!doctype"])
    const open: Array<string> = []
    for (const [, end, name = "", self] of page.matchAll(/<(\/?)([!a-z][a-z0-9]*)[^>]*?(\/?)>/gi)) {
      if (end) expect(open.pop()).toBe(name)
      else if (!self && !empty.has(name)) open.push(name)
    }
    expect(open).toEqual([])
  })

  it("shows settings, results and axes", () => {
    for (const text of ["A run", "seed", "conv 8 &#38; dense 10", "float", "Int4", "conv", "dense"]) {
      expect(words).toContain(text)
    }
    expect(words).toMatch(/float\s+96\.35\s+–\s+205\u202f000\s+1\.0 ×\s+11\.2/)
    expect(words).toMatch(/Int4\s+94\.10\s+96\.00\s+25\u202f625\s+8\.0 ×\s+–/)
    for (const axis of ["accuracy on held-out images (%)", "weight", "input", "output"]) expect(words).toContain(axis)
    expect(words).toContain("Exported files, run and compared with the integers")
    expect(words).toMatch(
      /mlp-int4\.onnx\s+onnxruntime-web 1\.30\.0\s+the file\s+48 \/ 50\s+3\s+1 \/ 1\s+5 \/ 5\s+certified/
    )
    expect(words).toMatch(
      /437\.0 kB \(gzip 218\.5\)\s+110\.0 kB .*58\.0 kB [\s\S]*mlp-int4\s+0\.050 ms\s+0\.100 ms\s+2\.0 × as slow/
    )
    expect(words).toContain("Certified if &#60;all&#62; is well.")
    expect(page.match(/<svg /g)).toHaveLength(4)
    expect(page.match(/role="img" aria-label="[^"]+"/g)).toHaveLength(4)
  })

  it("draws numbers only: nothing is NaN or undefined", () => {
    expect(page).not.toMatch(/NaN|undefined|Infinity/)
  })

  it("shows texts as texts, wherever they come from", () => {
    const hostile = Report.html({
      title: nasty,
      settings: [[nasty, nasty]],
      rows: data.rows.map((row) => ({ ...row, name: nasty })),
      histograms: data.histograms.map((one) => ({ ...one, layer: nasty, quantizer: nasty })),
      staircases: data.staircases.map((one) => ({ ...one, quantizer: nasty })),
      shipped: [shipped(nasty)]
    })
    expect(hostile).not.toContain("<img")
    expect(hostile.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/<[^>]*\sonerror=/)
    expect(hostile).toContain("zr0-c1</text>")
    expect(hostile).toContain("&#60;img src=&#34;http://x&#34;")
  })

  it("leaves out sections without data", () => {
    const bare = Report.html({ title: "t", settings: [], rows: [], histograms: [], staircases: [], shipped: [] })
    expect(bare).not.toContain("<h2>")
    expect(bare).not.toContain("<svg")
  })

  it("draws quantizers with one value, empty layers and a range of zero", () => {
    const odd = Report.html({
      ...data,
      histograms: [{ quantizer: "q", layer: "l", edges: [0, 0], before: [0], after: [0] }],
      staircases: [{ quantizer: "q", input: [0], output: [0] }]
    })
    expect(odd).not.toMatch(/NaN|undefined/)
  })
})

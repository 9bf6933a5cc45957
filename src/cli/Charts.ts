/**
 * The report's charts as SVG text, drawn by echarts without a browser.
 *
 * A chart's text depends on its arguments alone: echarts numbers its charts from the start of the process, and those numbers are
 * replaced by the given name, which also keeps the ids of several charts on one page apart.
 *
 * Room: cli (level 6). Imports: echarts.
 */
import { BarChart, LineChart } from "echarts/charts"
import { GridComponent, TitleComponent } from "echarts/components"
import * as echarts from "echarts/core"
import { SVGRenderer } from "echarts/renderers"

echarts.use([BarChart, LineChart, GridComponent, TitleComponent, SVGRenderer])

// ---- model --------------------------------------------------------------------------------------------------

/** What one quantizer makes of a network. Accuracies in percent. */
export interface Row {
  readonly name: string
  /** right after quantizing; of the float network, its accuracy */
  readonly accuracyBefore: number
  /** after training on with the quantizer in place; undefined where there is no such training */
  readonly accuracyAfter: number | undefined
  readonly weightBytes: number
  /** of training; undefined where it was not measured */
  readonly msPerStep: number | undefined
}

/** How many weights of a layer lie between each two edges, before and after quantizing. */
export interface Histogram {
  readonly quantizer: string
  readonly layer: string
  /** one more than there are counts, ascending */
  readonly edges: ReadonlyArray<number>
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
}

/** A quantizer as a function: what comes out for each of many inputs, ascending. */
export interface Staircase {
  readonly quantizer: string
  readonly input: ReadonlyArray<number>
  readonly output: ReadonlyArray<number>
}

// ---- look ---------------------------------------------------------------------------------------------------

export const colours = {
  ink: "#22303c",
  faint: "#6b7885",
  rule: "#dde3e8",
  before: "#a9bccd",
  after: "#1f5a92"
} as const

const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

/** An axis with its name in the middle, thin rules and small figures. */
export const axis = (name: string, gap: number) => ({
  name,
  nameLocation: "middle",
  nameGap: gap,
  nameTextStyle: { color: colours.faint, fontSize: 11 },
  axisLabel: { color: colours.faint, fontSize: 11, hideOverlap: true },
  axisLine: { show: true, onZero: false, lineStyle: { color: colours.faint } },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: colours.rule } }
})

const title = (text: string, width: number) => ({
  text,
  left: "center",
  top: 0,
  textStyle: { color: colours.ink, fontSize: 12, fontWeight: 600, width, overflow: "truncate" }
})

/** Four significant digits without trailing zeros. */
const short = (value: number): string => `${Number(value.toPrecision(3))}`

/** Ids that echarts makes, and where it refers to them. */
const generated = /(?<=\bid="|url\(#)zr\d+-c\d+\b/g

/** A chart as text; `alt` says what it shows. */
export const svg = (
  name: string,
  alt: string,
  width: number,
  height: number,
  option: echarts.EChartsCoreOption
): string => {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height })
  chart.setOption({ animation: false, textStyle: { fontFamily: font }, ...option })
  const text = chart.renderToSVGString()
  chart.dispose()
  // Styles for hovering serve nobody here. Ids count from the start of the process: number them from the start of this chart.
  const plain = text.replace(/<style[\s\S]*?<\/style>\n?/g, "").replace(/ class="[^"]*"/g, "")
  const ids = [...new Set(plain.match(generated))]
  return plain
    .replace(generated, (id) => `${name}-${ids.indexOf(id)}`)
    .replace("<svg ", `<svg role="img" aria-label="${escapeHtml(alt)}" `)
}

/** Text that may stand in HTML, between tags and in attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

// ---- charts -------------------------------------------------------------------------------------------------

/** Accuracy of each row right after quantizing and after training on, as bars from 0 to 100 %. */
export const accuracies = (name: string, rows: ReadonlyArray<Row>): string => {
  const bars = (label: string, colour: string, value: (row: Row) => number | undefined) => ({
    type: "bar",
    name: label,
    barMaxWidth: 14,
    barGap: "15%",
    itemStyle: { color: colour },
    emphasis: { disabled: true },
    data: rows.map((row) => value(row) ?? "-"),
    label: {
      show: true,
      position: "right",
      color: colours.ink,
      fontSize: 11,
      formatter: ({ value: percent }: { readonly value: unknown }) =>
        typeof percent === "number" ? percent.toFixed(1) : ""
    }
  })
  return svg(name, "Accuracy of each quantizer before and after fine-tuning", 930, 56 + 46 * rows.length, {
    grid: { left: 230, right: 50, top: 8, bottom: 44 },
    xAxis: { type: "value", min: 0, max: 100, ...axis("accuracy on held-out images (%)", 28) },
    yAxis: {
      type: "category",
      inverse: true,
      data: rows.map((row) => row.name),
      ...axis("", 0),
      axisLabel: { color: colours.ink, fontSize: 12, width: 210, overflow: "truncate", interval: 0 }
    },
    series: [
      bars("right after quantizing", colours.before, (row) => row.accuracyBefore),
      bars("after fine-tuning", colours.after, (row) => row.accuracyAfter)
    ]
  })
}

/** The weights before (upwards) and after quantizing (downwards), each half scaled to its own tallest bar. */
export const histogram = (name: string, { layer, quantizer, edges, before, after }: Histogram): string => {
  const half = (counts: ReadonlyArray<number>, sign: number, colour: string) => {
    const tallest = Math.max(1, ...counts)
    return {
      type: "line",
      step: "end",
      symbol: "none",
      silent: true,
      lineStyle: { color: colour, width: 1 },
      areaStyle: { color: colour, opacity: 1, origin: 0 },
      // Each count holds from its lower edge to the next; the last one is repeated at the end and then falls to 0.
      data: [
        [edges[0] ?? 0, 0],
        ...counts.map((count, i) => [edges[i + 1] ?? 0, (sign * count) / tallest]),
        [edges[counts.length] ?? 0, 0]
      ]
    }
  }
  const value = axis("weight", 24)
  return svg(name, `Weights of ${layer} before and after ${quantizer}`, 225, 170, {
    title: title(layer, 210),
    grid: { left: 22, right: 14, top: 22, bottom: 40 },
    xAxis: {
      type: "value",
      min: edges[0] ?? 0,
      max: edges[edges.length - 1] ?? 1,
      splitNumber: 4,
      ...value,
      axisLabel: { ...value.axisLabel, formatter: short, showMinLabel: false, showMaxLabel: false },
      splitLine: { show: false }
    },
    yAxis: {
      type: "value",
      min: -1.08,
      max: 1.08,
      ...axis("after   |   before", 6),
      axisLabel: { show: false },
      splitLine: { show: false }
    },
    series: [half(before, 1, colours.before), half(after, -1, colours.after)]
  })
}

/**
 * The points, and before each rise its two corners, halfway between the inputs. echarts leaves out points that lie within a pixel
 * of the last one, so corners alone would turn the long step after many short ones into a slope.
 */
const corners = (
  input: ReadonlyArray<number>,
  output: ReadonlyArray<number>
): ReadonlyArray<readonly [number, number]> =>
  input.flatMap((x, i) => {
    const y = output[i] ?? 0
    const before = output[i - 1]
    const middle = (x + (input[i - 1] ?? x)) / 2
    const rise =
      before === undefined || before === y
        ? []
        : ([
            [middle, before],
            [middle, y]
          ] as const)
    return [...rise, [x, y] as const]
  })

/** Output over input, with the line on which nothing would change. */
export const staircase = (name: string, { quantizer, input, output }: Staircase): string => {
  const [from, to] = [Math.min(...input), Math.max(...input)]
  const [low, high] = [Math.min(from, ...output), Math.max(to, ...output)]
  const x = axis("input", 24)
  const y = axis("output", 34)
  return svg(name, `Output of ${quantizer} over its input`, 300, 270, {
    title: title(quantizer, 280),
    grid: { left: 50, right: 16, top: 24, bottom: 40 },
    xAxis: {
      type: "value",
      min: from,
      max: to,
      splitNumber: 4,
      ...x,
      axisLabel: { ...x.axisLabel, formatter: short, showMinLabel: false, showMaxLabel: false }
    },
    yAxis: {
      type: "value",
      min: low,
      max: high,
      splitNumber: 4,
      ...y,
      axisLabel: { ...y.axisLabel, formatter: short, showMinLabel: false, showMaxLabel: false }
    },
    series: [
      {
        type: "line",
        symbol: "none",
        silent: true,
        lineStyle: { color: colours.faint, width: 1, type: "dashed" },
        data: [
          [from, from],
          [to, to]
        ]
      },
      {
        type: "line",
        symbol: "none",
        silent: true,
        lineStyle: { color: colours.after, width: 1.6 },
        data: corners(input, output)
      }
    ]
  })
}

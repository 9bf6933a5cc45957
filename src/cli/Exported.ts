/**
 * What was exported, as tables for the terminal and for the report: certificates, sizes, times.
 *
 * Room: cli (level 6). Imports: `./Bytes.ts`, `./Certified.ts`, `./Latency.ts`, `./Shipped.ts` types.
 */
import * as Bytes from "./Bytes.ts"
import * as Certified from "./Certified.ts"
import * as Latency from "./Latency.ts"
import type { Shipped } from "./Shipped.ts"

export interface Table {
  readonly title: string
  readonly headers: ReadonlyArray<string>
  readonly cells: ReadonlyArray<ReadonlyArray<string>>
  /** what the columns mean */
  readonly text: string
}

const certificates = (all: ReadonlyArray<Shipped>): ReadonlyArray<Table> => {
  const found = all.flatMap((one) => one.certificates)
  const first = found[0]
  if (first === undefined) return []
  return [
    {
      title: "Exported files, run and compared with the integers",
      headers: ["file", "run in", "integers and", ...Certified.headers, "verdict"],
      cells: found.flatMap(({ model, runtime, inputs, comparisons, certified }) =>
        comparisons.map((one, i) => [
          i === 0 ? model.file : "",
          i === 0 ? `${runtime.name} ${runtime.version}` : `on ${inputs.count} images`,
          Certified.short(one),
          ...Certified.cells(one),
          i === 0 ? (certified ? "certified" : "NOT certified") : ""
        ])
      ),
      text: first.rule
    }
  ]
}

const milliseconds = (ms: number): string => `${ms.toFixed(ms < 1 ? 3 : 2)} ms`

const sizes = (all: ReadonlyArray<Shipped>): ReadonlyArray<Table> =>
  all.length === 0
    ? []
    : [
        {
          title: "Sizes of the files",
          headers: ["network", "float", "QCDQ", "QCDQ packed", "QONNX"],
          cells: all.map(({ name, sizes: { float, qcdq, packed, qonnx } }) => [
            name,
            Bytes.text(float),
            Bytes.text(qcdq),
            packed === undefined ? "–" : Bytes.text(packed),
            Bytes.text(qonnx)
          ]),
          text: "QCDQ stores integers of whole bytes; packed, two weights of up to four bits share a byte; QONNX stores floats."
        }
      ]

const times = (all: ReadonlyArray<Shipped>): ReadonlyArray<Table> => {
  const found = all.flatMap(({ name, latency }) => (latency === undefined ? [] : [{ name, latency }]))
  const first = found[0]
  if (first === undefined) return []
  return [
    {
      title: "Time for one image in the runtime",
      headers: ["network", "float", "quantized", "so it is"],
      cells: found.map(({ name, latency }) => [
        name,
        milliseconds(latency.float),
        milliseconds(latency.quantized),
        Latency.text(latency)
      ]),
      text:
        `Medians of ${first.latency.runs} runs, one thread, both files in turn. A smaller file is not always a faster one: that depends on the ` +
        "kernels of the runtime, and on whether a network is large enough for products of integers to save what putting values onto grids costs."
    }
  ]
}

/** All tables that there is something to say in. */
export const tables = (all: ReadonlyArray<Shipped>): ReadonlyArray<Table> => [
  ...certificates(all),
  ...sizes(all),
  ...times(all)
]

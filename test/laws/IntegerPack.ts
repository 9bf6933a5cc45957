/**
 * Integers that keep their laws, and for each law ones that do not.
 */
import { Effect } from "effect"
import * as IntegerLaws from "../../laws/IntegerLaws.ts"
import type * as Law from "../../laws/Law.ts"
import * as Levels from "../../src/op/Levels.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Integers = IntegerLaws.Integers
const { integers } = IntegerLaws
const { range, quantize, encode } = integers

const broken: ReadonlyArray<readonly [Law.Law<Integers>, string, Partial<Integers>]> = [
  [IntegerLaws.range, "narrow is not heeded", { range: (format) => range({ ...format, narrowRange: false }) }],
  [
    IntegerLaws.range,
    "one too many",
    { range: (format) => ({ ...range(format), high: range(format).high + (format.signed ? 0 : 1) }) }
  ],
  [
    IntegerLaws.inverse,
    "the zero-point is added",
    { encode: (values, format, grid) => encode(values, format, { ...grid, zeroPoint: -grid.zeroPoint }) }
  ],
  [
    IntegerLaws.kept,
    "off by one at the top",
    { quantize: (values, format, ...rest) => quantize(values, { ...format, narrowRange: true }, ...rest) }
  ],
  [
    IntegerLaws.middles,
    "half a step up",
    {
      quantize: (values, format, grid) =>
        quantize(
          values.map((x) => x + grid.scale / 2),
          format,
          grid,
          "floor"
        )
    }
  ],
  [
    IntegerLaws.directed,
    "rounds to the nearest",
    { quantize: (values, format, grid) => quantize(values, format, grid, "nearest") }
  ],
  [
    IntegerLaws.special,
    "NaN is the lowest",
    {
      quantize: (values, ...rest) =>
        quantize(
          values.map((x) => (Number.isNaN(x) ? -1e9 : x)),
          ...rest
        )
    }
  ]
]

export const pack: Pack<Integers> = {
  name: "IntegerLaws",
  laws: IntegerLaws.all,
  good: [
    ["breve's integers on WASM", Effect.succeed(integers)],
    ["breve's integers on cpu", onCpu(integers)],
    [
      "the range of breve's levels",
      Effect.succeed({ ...integers, range: (format) => Levels.rangeOf(format.bitWidth, format) })
    ]
  ],
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...integers, ...parts })]),
  runs: 1
}

/**
 * Minifloats that keep their laws, and for each law ones that do not.
 */
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as MinifloatLaws from "../../laws/MinifloatLaws.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Minifloats = MinifloatLaws.Minifloats
const { minifloats } = MinifloatLaws
const { decode, encode, quantize } = minifloats

const broken: ReadonlyArray<readonly [Law.Law<Minifloats>, string, Partial<Minifloats>]> = [
  [
    MinifloatLaws.definition,
    "subnormals are normal",
    {
      decode: (code, format) =>
        code > 0 && code < 2 ** format.mantissaBitWidth ? decode(code, format) * 2 : decode(code, format)
    }
  ],
  [MinifloatLaws.definition, "no negative zero", { decode: (code, format) => decode(code, format) + 0 }],
  [MinifloatLaws.inverse, "the sign is lost", { encode: (value, format) => encode(Math.abs(value), format) }],
  [MinifloatLaws.inverse, "infinity saturates", { encode: (value, format) => encode(Math.min(value, 57344), format) }],
  [
    MinifloatLaws.ordered,
    "two's complement",
    {
      decode: (code, format) =>
        code >= 2 ** (format.exponentBitWidth + format.mantissaBitWidth)
          ? -decode(2 * 2 ** (format.exponentBitWidth + format.mantissaBitWidth) - code, format)
          : decode(code, format)
    }
  ],
  [
    MinifloatLaws.nearest,
    "ties away from zero",
    {
      quantize: (values, ...rest) =>
        quantize(
          values.map((x) => x * (1 + 2 ** -22)),
          ...rest
        )
    }
  ],
  [
    MinifloatLaws.nearest,
    "flushes subnormals",
    {
      quantize: (values, format, ...rest) =>
        Array.from(quantize(values, format, ...rest), (y) => (Math.abs(y) < 2 ** (1 - format.exponentBias) ? 0 * y : y))
    }
  ],
  [
    MinifloatLaws.directed,
    "rounds to the nearest",
    { quantize: (values, format, _, overflow) => quantize(values, format, "nearest", overflow) }
  ],
  [
    MinifloatLaws.overflow,
    "saturates always",
    { quantize: (values, format, rounding) => quantize(values, format, rounding, "saturate") }
  ],
  [
    MinifloatLaws.overflow,
    "NaN is zero",
    {
      quantize: (values, ...rest) =>
        quantize(
          values.map((x) => (Number.isNaN(x) ? 0 : x)),
          ...rest
        )
    }
  ]
]

export const pack: Pack<Minifloats> = {
  name: "MinifloatLaws",
  laws: MinifloatLaws.all,
  good: [
    ["breve's minifloats on WASM", Effect.succeed(minifloats)],
    ["breve's minifloats on cpu", onCpu(minifloats)]
  ],
  broken: broken.map(([law, how, parts]) => [law, how, Effect.succeed({ ...minifloats, ...parts })]),
  runs: 1
}

/**
 * Powers of two that keep their laws, and for each law ones that do not.
 */
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as PowerOfTwoLaws from "../../laws/PowerOfTwoLaws.ts"
import { onCpu } from "./OnCpu.ts"
import type { Pack } from "./Pack.ts"

type Powers = PowerOfTwoLaws.Powers
const { powers, composed } = PowerOfTwoLaws
const { near } = powers

const roundings = { floor: Math.floor, ceil: Math.ceil, nearest: Math.round }

const broken: ReadonlyArray<readonly [Law.Law<Powers>, string, Powers["near"]]> = [
  [
    PowerOfTwoLaws.fixed,
    "by natural logarithms",
    (values, rounding) =>
      values.map((x) => 2 ** roundings[rounding](Math.fround(Math.fround(Math.log(x)) / Math.fround(Math.LN2))))
  ],
  [PowerOfTwoLaws.between, "always up", (values) => near(values, "ceil")],
  [
    PowerOfTwoLaws.between,
    "the nearer power, not the nearer logarithm",
    (values, rounding) =>
      rounding === "nearest"
        ? values.map((x) => (x > 1.5 * 2 ** Math.floor(Math.log2(x)) ? 2 : 1) * 2 ** Math.floor(Math.log2(x)))
        : near(values, rounding)
  ],
  [PowerOfTwoLaws.beside, "the number itself", (values) => values],
  [PowerOfTwoLaws.monotone, "the reciprocal", (values, rounding) => Array.from(near(values, rounding), (y) => 1 / y)],
  [PowerOfTwoLaws.special, "of magnitudes", (values, rounding) => near(values.map(Math.abs), rounding)]
]

export const pack: Pack<Powers> = {
  name: "PowerOfTwoLaws",
  laws: PowerOfTwoLaws.all,
  good: [
    ["breve's powers of two on WASM", Effect.succeed(powers)],
    ["breve's powers of two on cpu", onCpu(powers)],
    ["their definition", Effect.succeed(composed)]
  ],
  broken: broken.map(([law, how, by]) => [law, how, Effect.succeed({ name: how, near: by })]),
  runs: 1
}

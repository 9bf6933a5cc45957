/**
 * Searches for the best scale that keep their laws, and one for each law that does not.
 */
import { Effect } from "effect"
import type * as Law from "../../laws/Law.ts"
import * as OptimalScaleLaws from "../../laws/OptimalScaleLaws.ts"
import * as Levels from "../../src/op/Levels.ts"
import * as Optimal from "../../src/op/Optimal.ts"
import type { Pack } from "./Pack.ts"

type ScaleSearch = OptimalScaleLaws.ScaleSearch

const one = (levels: Levels.Levels): ScaleSearch => ({
  levels: [[...levels.values]],
  find: (x) => ({ scale: Optimal.scale(x, levels).scale, set: 0 })
})
const joint = (range: Levels.Range): ScaleSearch => ({
  levels: Array.from({ length: range.high - range.low + 1 }, (_, i) => [
    ...Levels.integers(range, range.low + i).values
  ]),
  find: (x) => {
    const { scale, zeroPoint } = Optimal.scaleAndZeroPoint(x, range)
    return { scale, set: zeroPoint - range.low }
  }
})

const range = (bitWidth: number, signed: boolean, narrowRange: boolean) =>
  Levels.rangeOf(bitWidth, { signed, narrowRange })
const e2m1 = { exponentBitWidth: 2, mantissaBitWidth: 1, exponentBias: 1 }
const e4m3 = { exponentBitWidth: 4, mantissaBitWidth: 3, exponentBias: 7 }

const subjects: ReadonlyArray<readonly [name: string, subject: ScaleSearch, weight?: number]> = [
  ["2 bits", one(Levels.integers(range(2, true, true)))],
  ["4 bits narrow", one(Levels.integers(range(4, true, true)))],
  ["4 bits full", one(Levels.integers(range(4, true, false)))],
  ["4 bits unsigned", one(Levels.integers(range(4, false, false)))],
  ["3 bits unsigned narrow", one(Levels.integers(range(3, false, true)))],
  ["8 bits", one(Levels.integers(range(8, true, true))), 7.5],
  ["zero-point 5", one(Levels.integers(range(4, false, false), 5))],
  ["zero-point 2.3", one(Levels.integers(range(3, false, false), 2.3))],
  ["two levels around 0", one(Levels.integers({ low: 0, high: 1 }, 0.5))],
  ["no level below 0", one(Levels.integers({ low: 3, high: 6 }))],
  ["e2m1", one(Levels.minifloats(e2m1, { signed: true }))],
  ["e4m3 up to 448", one(Levels.minifloats(e4m3, { signed: true, max: 448 })), 7.5],
  ["e2m1 unsigned", one(Levels.minifloats(e2m1, { signed: false }))],
  ["2 bits and a zero-point", joint(range(2, false, false))],
  ["3 bits and a zero-point", joint(range(3, false, false)), 3],
  ["4 bits signed and a zero-point", joint(range(4, true, false)), 10]
]

const absMax: ScaleSearch["find"] = (x) => ({ scale: x.reduce((max, v) => Math.max(max, Math.abs(v)), 0) / 7, set: 0 })
const { levels } = one(Levels.integers(range(4, true, true)))

const broken: ReadonlyArray<readonly [Law.Law<ScaleSearch>, string, ScaleSearch["find"]]> = [
  [OptimalScaleLaws.optimal, "nothing is cut off", absMax],
  [
    OptimalScaleLaws.optimal,
    "a grid of candidates",
    (x) => {
      const { scale } = absMax(x)
      const errorOf = (s: number): number =>
        x.reduce((sum, v) => sum + (v - s * Math.max(-7, Math.min(7, Math.round(v / s || 0)))) ** 2, 0)
      const candidates = Array.from({ length: 20 }, (_, i) => (scale * (i + 1)) / 20)
      return { scale: candidates.reduce((p, q) => (errorOf(q) < errorOf(p) ? q : p)), set: 0 }
    }
  ],
  [OptimalScaleLaws.homogeneous, "no scale below 1/10", (x) => ({ scale: Math.max(0.1, absMax(x).scale), set: 0 })],
  [OptimalScaleLaws.zero, "a minimum", () => ({ scale: 1e-10, set: 0 })]
]

export const pack: Pack<ScaleSearch> = {
  name: "OptimalScaleLaws",
  laws: OptimalScaleLaws.all,
  good: subjects.map(([name, subject, weight]) => [name, Effect.succeed(subject), weight]),
  broken: broken.map(([law, how, find]) => [law, how, Effect.succeed({ levels, find })]),
  runs: 150
}

import { type Effect, pipe } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Statistic from "../../src/core/Statistic.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Linear from "../../src/nn/Linear.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"

const size = { inFeatures: 4, outFeatures: 2 }

describe("what a layer takes as a quantizer, to the compiler", () => {
  it("right", () => {
    const int4 = pipe(ScaledInt.Int8WeightPerTensorFloat, Injector.let({ bitWidth: 4 }))
    expectTypeOf(Linear.quantLinear({ ...size, weightQuant: int4 })).toExtend<
      Effect.Effect<unknown, unknown, unknown>
    >()
    const perChannel = { scalingPerOutput: "channel", scalingStatsOp: "percentile", highPercentileQ: 99 } as const
    Linear.quantLinear({ ...size, weightQuant: int4, weight: perChannel })
  })
  it("wrong", () => {
    const statistic = Injector.make("A statistic", { tensorQuant: Statistic.AbsMax, signed: true })
    // @ts-expect-error this builds a statistic, not a quantizer
    Linear.quantLinear({ ...size, weightQuant: statistic })
    const { Int8WeightPerTensorFloat: int8 } = ScaledInt
    // @ts-expect-error no such implementation
    Linear.quantLinear({ ...size, weightQuant: int8, weight: { scalingImplType: "statz" } })
    // @ts-expect-error no such granularity
    Linear.quantLinear({ ...size, weightQuant: int8, weight: { scalingPerOutput: "row" } })
    // @ts-expect-error a percentile needs highPercentileQ
    Linear.quantLinear({ ...size, weightQuant: int8, weight: { scalingStatsOp: "percentile" } })
    // @ts-expect-error a width is a number
    Linear.quantLinear({ ...size, weightQuant: int8, weight: { bitWidth: "4" } })
    // @ts-expect-error misspelt
    Linear.quantLinear({ ...size, weightQuant: int8, weight: { bitWitdh: 4 } })
  })
})

/** Every option of the rules, alone and with every other one: the quantizer is built, quantizes, and differs where it should. */
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type { TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { channels, layer } from "./Subjects.ts"

type Options = Readonly<Record<string, unknown>>

const shared = {
  quantType: ["int", "binary", "ternary"],
  bitWidth: [1, 2, 5, 8, 16],
  bitWidthImplType: ["const", "parameter", "statefulConst"],
  signed: [true, false],
  narrowRange: [true, false],
  floatToIntImplType: ["round", "ceil", "floor", "roundToZero", "dpu", "stochasticRound", "learnedRound"],
  learnedRoundImplType: ["hardSigmoid", "sigmoid", "identity"],
  restrictScalingType: ["fp", "logFp", "int", "powerOfTwo"],
  scalingPerOutput: ["tensor", "channel", "group"],
  scalingStatsOp: [
    "max",
    "ave",
    "maxAve",
    "meanSigmaStd",
    "meanLearnSigmaStd",
    "percentile",
    "minMax",
    "percentileInterval"
  ],
  scalingMinVal: [undefined, 1e-3],
  quantDelaySteps: [0, 1]
}
const ofWeights = {
  ...shared,
  scalingImplType: ["const", "parameter", "parameterFromStats", "stats", "affineStats", "he"]
}
const ofActivations = {
  ...shared,
  scalingImplType: ["const", "parameter", "parameterFromStats", "stats", "affineStats"]
}

/** What options ask for besides. */
const more = (x: tf.Tensor): Options => ({
  threshold: 0.5,
  sigma: 2,
  highPercentileQ: 90,
  lowPercentileQ: 10,
  scalingConst: 0.75,
  minVal: -1,
  maxVal: 1,
  groupSize: 4,
  scalingAffineRescalingInit: 1.5,
  learnedRoundImplType: "hardSigmoid",
  learnedRoundInit: tf.zerosLike(x),
  perChannelBroadcastableShape: [1, channels],
  scalingStatsPermuteDims: [1, 0]
})

/** Combinations that mean nothing: refused when built. */
const senseless = (o: Options): boolean =>
  // binary and ternary values have a sign
  (o.signed === false && (o.quantType === "binary" || o.quantType === "ternary")) ||
  // a learned width is at least 2, and one narrow bit has no value but 0
  (o.bitWidth === 1 && (o.bitWidthImplType === "parameter" || o.narrowRange !== false)) ||
  // whole scales of small weights are 0, and learned roundings have the shape of what they round
  o.restrictScalingType === "int" ||
  (o.floatToIntImplType === "learnedRound" && o.scalingPerOutput === "group") ||
  // the average over channels of one group, or with one scale for each channel, is not one number for each
  (o.scalingStatsOp === "maxAve" && o.scalingPerOutput !== "tensor" && o.scalingPerOutput !== undefined)

const pairs = (all: Readonly<Record<string, ReadonlyArray<unknown>>>): ReadonlyArray<Options> => {
  const single = Object.entries(all).flatMap(([name, values]) => values.map((value) => ({ name, value })))
  return single.flatMap((a, i) =>
    single
      .slice(i)
      .filter((b) => b.name !== a.name || b === a)
      .map((b) => ({ [a.name]: a.value, [b.name]: b.value }))
  )
}

/** Builds, trains a call and evaluates; answers what is wrong, if anything is. */
const wrong = (entry: Injector.Any, options: Options): Effect.Effect<string | undefined> => {
  const module = layer("Linear", [8, channels])
  const x = module.weight
  const given = more(x)
  const program = Effect.map(
    Injector.resolveUnknown(Injector.merge(entry, Injector.make({ ...given, ...options, module })), ["tensorQuant"]),
    ({ tensorQuant }) => {
      const answer: { text?: string } = {}
      const look = (): void => {
        const quantizer = tensorQuant as TensorQuantizer
        const start = { parameters: quantizer.parameters, memory: quantizer.memory, training: true, tracked: [x] }
        const state = { ...start, ...quantizer.prepare(start) }
        const [, memory] = quantizer.apply(state, x)
        const { value, scale } = quantizer.apply({ ...state, memory, training: false }, x)[0]
        if (JSON.stringify(value.shape) !== JSON.stringify(x.shape)) answer.text = `shape [${value.shape}]`
        if (!value.dataSync().every(Number.isFinite)) answer.text = "not finite"
        if (!scale.dataSync().every((s) => s > 0)) answer.text = "scale not positive"
      }
      try {
        tf.tidy(look)
      } catch (cause) {
        answer.text = `threw ${cause}`
      }
      return answer.text
    }
  )
  const before = tf.memory().numTensors
  return Effect.scoped(program).pipe(
    Effect.catch((error) => Effect.succeed(`${error._tag}: ${error.message}`)),
    Effect.map((text) => {
      const leaked = tf.memory().numTensors - before
      tf.dispose([module.weight, module.bias, given.learnedRoundInit] as never)
      return leaked === 0 ? text : `leaked ${leaked}`
    })
  )
}

beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.layer))))

describe.each([
  ["weights", ScaledInt.Int8WeightPerTensorFloat, ofWeights],
  ["activations", ScaledInt.Int8ActPerTensorFloat, ofActivations]
] as const)("options of %s", (_, entry, all) => {
  it("every pair of them makes a quantizer", async () => {
    const found: Array<string> = []
    const tried = pairs(all).filter((options) => !senseless(options))
    for (const options of tried) {
      const text = await Effect.runPromise(wrong(entry, options))
      if (text !== undefined) found.push(`${JSON.stringify(options)}: ${text}`)
    }
    expect(found).toEqual([])
    expect(tried.length).toBeGreaterThan(500)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as Statistic from "../../src/core/Statistic.ts"
import * as View from "../../src/core/View.ts"
import { InvalidOptions } from "../../src/tensor/Errors.ts"
import * as Gradient from "../../src/tensor/Gradient.ts"

const initial = (brick: Brick.Brick): Brick.State => ({
  parameters: brick.parameters,
  memory: brick.memory,
  training: true
})
const of = (statistic: Statistic.Statistic, x: tf.Tensor, state: Partial<Brick.State> = {}): unknown =>
  tf.tidy(() => statistic.apply({ ...initial(statistic), ...state }, x)[0].arraySync())
const tree = (brick: Brick.Brick): ReadonlyArray<string> =>
  Brick.parts(brick).map(([path, label]) => (path === "" ? label : `${path}: ${label}`))

describe("Statistic", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))
  const x = () => tf.tensor2d([1, -4, 2, 3, 0, -1], [2, 3])

  it("reduces everything, or an axis, which may be kept", () => {
    expect(of(Statistic.AbsMax({}), x())).toBe(4)
    expect(of(Statistic.AbsMax({ statsReduceDim: 1 }), x())).toEqual([4, 3])
    expect(of(Statistic.AbsMinMax({ statsReduceDim: 1, keepdim: true }), x())).toEqual([[6], [4]])
    expect(of(Statistic.NegativeMinOrZero({ statsReduceDim: 0 }), x())).toEqual([0, -4, -1])
    expect(of(Statistic.AbsMaxAve({ statsReduceDim: 1 }), x())).toBe(3.5)
    expect(of(Statistic.L1Norm({ statsReduceDim: 1 }), x())).toEqual([[7], [4]])
    expect(of(Statistic.AbsPercentile({ statsReduceDim: 1, highPercentileQ: 50 }), x())).toEqual([2, 1])
    expect(of(Statistic.PercentileInterval({ lowPercentileQ: 1, highPercentileQ: 100 }), x())).toBe(7)
  })
  it("shows the parts that the formulas have", () => {
    expect(tree(Statistic.AbsMax({}))).toEqual(["AbsMax"])
    expect(tree(Statistic.AbsMinMax({}))).toEqual(["AbsMinMax", "zero: StatelessBuffer"])
    expect(tree(Statistic.MeanSigmaStd({ sigma: 2 }))).toEqual([
      "MeanSigmaStd",
      "impl: _MeanSigmaStdImpl",
      "sigma: StatelessBuffer"
    ])
    expect(tree(Statistic.KLMinimizerThreshold({ signed: true, bitWidth: 8 }))).toEqual([
      "KLMinimizerThreshold",
      "bitWidthImpl: BitWidthConst",
      "bitWidthImpl.bitWidth: StatelessBuffer",
      "absmaxImpl: AbsMax"
    ])
  })
  it("MeanLearnedSigmaStd learns sigma, one for all or one for each slice, and releases it", () => {
    const before = tf.memory().numTensors
    const self = Statistic.MeanLearnedSigmaStd({ sigma: 2, statsReduceDim: 1, statsOutputShape: [2], stdDevEpsilon: 0 })
    expect(self.label).toBe("MeanLearnedSigmaStd")
    tf.tidy(() => {
      const sigma = self.parameters.sigma as tf.Tensor
      expect(sigma.arraySync()).toEqual([2, 2])
      const data = tf.tensor2d([1, -3, 2, 2], [2, 2])
      const { value, gradients } = Gradient.valueAndGradients(
        ([s]) => self.apply({ ...initial(self), parameters: { sigma: s as tf.Tensor } }, data)[0],
        [sigma]
      )
      const deviation = Math.fround(Math.SQRT2)
      expect(value.arraySync()).toEqual([Math.fround(2 + 2 * deviation), 2])
      expect(gradients[0]?.arraySync()).toEqual([deviation, 0])
    })
    Brick.dispose(self)
    expect(tf.memory().numTensors).toBe(before)
  })
  it("KLMinimizerThreshold has no gradient", () =>
    tf.tidy(() => {
      const self = Statistic.KLMinimizerThreshold({ signed: true, bitWidth: 3, numBins: 31 })
      const { value, gradients } = Gradient.valueAndGradients(
        ([y]) => self.apply(initial(self), y as tf.Tensor)[0],
        [x()]
      )
      expect(value.dataSync()[0]).toBeGreaterThan(0)
      expect(gradients).toEqual([null])
    }))
  it("refuses what cannot be", () => {
    const refused = (option: string, f: () => unknown) => {
      expect(f).toThrow(InvalidOptions)
      expect(f).toThrow(`"${option}"`)
    }
    for (const q of [-1, 100.5, Number.NaN]) {
      refused("highPercentileQ", () => Statistic.AbsPercentile({ highPercentileQ: q }))
      refused("lowPercentileQ", () => Statistic.NegativePercentileOrZero({ lowPercentileQ: q }))
      refused("lowPercentileQ", () => Statistic.PercentileInterval({ lowPercentileQ: q, highPercentileQ: 99 }))
    }
    refused("statsReduceDim", () => Statistic.AbsMax({ statsReduceDim: 0.5 }))
    refused("sigma", () => Statistic.MeanSigmaStd({ sigma: Number.NaN }))
    refused("stdDevEpsilon", () => Statistic.MeanLearnedSigmaStd({ sigma: 1, stdDevEpsilon: -1 }))
    for (const bitWidth of [0, 1, 2.5, 33])
      refused("bitWidth", () => Statistic.KLMinimizerThreshold({ signed: true, bitWidth }))
    for (const numBins of [1000, 125])
      refused("numBins", () => Statistic.KLMinimizerThreshold({ signed: true, bitWidth: 8, numBins }))
    expect(Statistic.KLMinimizerThreshold({ signed: false, bitWidth: 1 }).label).toBe("KLMinimizerThreshold")
  })
  it("shaped: takes the shape, or the statistic on trial for its role", () => {
    const self = Statistic.shaped(Statistic.AbsMax({ statsReduceDim: 1 }), [2, 1], "scale")
    expect(of(self, x())).toEqual([[4], [3]])
    expect(of(self, x(), { trial: { scale: tf.tensor1d([7, 8]) } })).toEqual([[7], [8]])
    expect(of(self, x(), { trial: { zeroPoint: tf.tensor1d([7, 8]) } })).toEqual([[4], [3]])
  })

  const ofParameters = (trackedCount?: number) =>
    Statistic.ofParameters({
      statsImpl: Statistic.AbsMax({ statsReduceDim: 1 }),
      view: View.OverOutputChannelView({}),
      concatDim: 1,
      shape: [2, 1],
      role: "scale",
      ...(trackedCount !== undefined && { trackedCount })
    })
  it("ofParameters: all tracked weights together, or the input alone", () => {
    const [first, second] = [x(), tf.tensor3d([5, 0, 0, 0, 0, 1], [2, 3, 1])]
    expect(of(ofParameters(2), x(), { tracked: [first, second] })).toEqual([[5], [3]])
    expect(of(ofParameters(), first)).toEqual([[4], [3]])
  })
  it("ofParameters: of equal weights the last has the gradient", () =>
    tf.tidy(() => {
      const self = ofParameters(2)
      const { gradients } = Gradient.valueAndGradients(
        (tracked) => self.apply({ ...initial(self), tracked }, tracked[0] as tf.Tensor)[0],
        [x(), x()]
      )
      expect(gradients.map((g) => Array.from(g?.dataSync() ?? [], (y) => y + 0))).toEqual([
        [0, 0, 0, 0, 0, 0],
        [0, -1, 0, 1, 0, 0]
      ])
    }))
  it("ofParameters: shows how many weights it tracks", () => {
    const view = [
      "firstTrackedParam.viewShapeImpl: OverOutputChannelView",
      "firstTrackedParam.viewShapeImpl.permuteImpl: Identity"
    ]
    const stats = ["stats: _Stats", "stats.statsImpl: AbsMax"]
    expect(tree(ofParameters())).toEqual([
      "_ParameterListStats",
      "firstTrackedParam: _ViewParameter",
      ...view,
      ...stats
    ])
    expect(tree(ofParameters(3))).toEqual([
      "_ParameterListStats",
      "firstTrackedParam: _ViewParameterWrapper",
      ...view,
      "extraTrackedParamsList: ModuleList",
      "extraTrackedParamsList.0: _ViewCatParameterWrapper",
      "extraTrackedParamsList.1: _ViewCatParameterWrapper",
      ...stats
    ])
    const [wrapper] = Object.values(ofParameters(2).children.extraTrackedParamsList?.children ?? {})
    expect(wrapper?.children.viewShapeImpl?.label).toBe("OverOutputChannelView")
  })
})

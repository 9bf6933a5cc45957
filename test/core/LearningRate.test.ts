import { pipe } from "effect"
import { describe, expect, it } from "vitest"
import * as LearningRate from "../../src/core/LearningRate.ts"

const rates = (rate: LearningRate.LearningRate, steps: ReadonlyArray<number>) =>
  steps.map((step) => Number(rate.at(step).toPrecision(6)))

describe("LearningRate", () => {
  it("falls step by step, as PyTorch's StepLR, MultiStepLR and ExponentialLR", () => {
    const options = { initial: 0.02, every: 20 }
    expect(rates(LearningRate.stepDecay(options), [0, 19, 20, 39, 40])).toEqual([0.02, 0.02, 0.002, 0.002, 0.0002])
    const multi = LearningRate.multiStep({ initial: 0.02, at: [20, 30] })
    expect(rates(multi, [0, 19, 20, 29, 30, 99])).toEqual([0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002])
    expect(rates(LearningRate.exponential({ initial: 2, factor: 0.5 }), [0, 1, 3])).toEqual([2, 1, 0.25])
  })
  it("falls along a line or a cosine, and then stays", () => {
    expect(rates(LearningRate.linear({ from: 1, to: 0.5, steps: 4 }), [0, 1, 4, 9])).toEqual([1, 0.875, 0.5, 0.5])
    const cosine = LearningRate.cosine({ from: 1, to: 0.1, steps: 10 })
    expect(rates(cosine, [0, 5, 10, 99])).toEqual([1, 0.55, 0.1, 0.1])
    expect(cosine.at(2)).toBeCloseTo(0.1 + 0.45 * (1 + Math.cos(0.2 * Math.PI)), 12)
  })
  it("is composed", () => {
    const warm = pipe(LearningRate.stepDecay({ initial: 1, every: 2 }), LearningRate.warmUp(3))
    expect(rates(warm, [0, 1, 2, 3, 4, 5])).toEqual([0.25, 0.5, 0.75, 1, 1, 0.1])
    const two = pipe(
      LearningRate.constant(3),
      LearningRate.followedBy(
        LearningRate.make((step) => step),
        2
      )
    )
    expect(rates(two, [0, 1, 2, 5])).toEqual([3, 3, 0, 3])
    expect(rates(LearningRate.scaled(two, 2), [0, 5])).toEqual([6, 6])
  })
  it.each([
    ["constant", LearningRate.constant(-1)],
    ["stepDecay", LearningRate.stepDecay({ initial: 1, every: 0 })],
    ["multiStep", LearningRate.multiStep({ initial: 1, at: [3, 3] })],
    ["multiStep", LearningRate.multiStep({ initial: 1, at: [1.5] })],
    ["exponential", LearningRate.exponential({ initial: 1, factor: Number.NaN })],
    ["linear", LearningRate.linear({ from: 1, to: 0, steps: -1 })],
    ["cosine", LearningRate.cosine({ from: Number.POSITIVE_INFINITY, steps: 1 })],
    ["cosine", pipe(LearningRate.cosine({ from: -1, steps: 1 }), LearningRate.warmUp(2), LearningRate.scaled(2))],
    ["warmUp", LearningRate.warmUp(LearningRate.constant(1), 0.5)],
    ["scaled", LearningRate.scaled(LearningRate.constant(1), -1)],
    ["followedBy", LearningRate.followedBy(LearningRate.constant(1), LearningRate.constant(1), -1)]
  ])("%s tells what cannot be", (name, rate) => {
    expect(rate.check?.message).toContain(`LearningRate.${name}: option`)
  })
})

import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import * as Brick from "../../src/core/Brick.ts"
import * as View from "../../src/core/View.ts"
import { InvalidOptions } from "../../src/tensor/Errors.ts"

const shapeOf = (view: View.View, shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  tf.tidy(() => view.apply(tf.zeros([...shape])).shape)
const group = { groupSize: 2, groupDim: 1 }

describe("View", () => {
  beforeAll(() => Effect.runPromise(Effect.scoped(Effect.provide(Effect.void, Backend.cpu, { local: true }))))

  it("lays tensors out as rows", () => {
    expect(shapeOf(View.Identity({}), [2, 3])).toEqual([2, 3])
    expect(shapeOf(View.PermuteDims({ permuteDims: [1, 0] }), [2, 3])).toEqual([3, 2])
    expect(shapeOf(View.OverTensorView({}), [2, 3])).toEqual([6])
    expect(shapeOf(View.OverOutputChannelView({ permuteDims: [2, 0, 1] }), [2, 3, 4])).toEqual([4, 6])
    expect(shapeOf(View.OverBatchOverTensorView({}), [2, 3, 4])).toEqual([2, 12])
    expect(shapeOf(View.OverBatchOverOutputChannelView({ permuteDims: [0, 2, 1] }), [2, 3, 4])).toEqual([2, 4, 3])
    expect(shapeOf(View.OverOutputFeaturesView({}), [2, 3, 4])).toEqual([6, 4])
  })
  it("groups, and leaves alone what has groups", () => {
    const fixed = View.OverSubChannelBlockView({ ...group, expandedGroupwiseShape: [3, 2, 2] })
    expect(shapeOf(fixed, [3, 4])).toEqual([3, 2, 2])
    expect(shapeOf(fixed, [3, 3])).toEqual([3, 2, 2])
    expect(shapeOf(fixed, [3, 2, 1])).toEqual([3, 2, 1])
    expect(fixed.groups).toMatchObject({ size: 2, dim: 1 })
    const dynamic = View.DynamicOverSubChannelBlockView({ groupSize: 4, groupDim: -1 })
    expect(shapeOf(dynamic, [3, 5])).toEqual([3, 2, 4])
    expect(shapeOf(dynamic, [6])).toEqual([2, 4])
    expect(dynamic.groups).toMatchObject({ size: 4, dim: -1 })
  })
  it("shows how axes are permuted", () => {
    const tree = (view: View.View) => Brick.parts(view).map(([path, label]) => `${path}:${label}`)
    expect(tree(View.OverOutputChannelView({}))).toEqual([":OverOutputChannelView", "permuteImpl:Identity"])
    expect(tree(View.OverOutputFeaturesView({ permuteDims: [1, 0] }))).toEqual([
      ":OverOutputFeaturesView",
      "permuteImpl:PermuteDims"
    ])
    expect(tree(View.DynamicOverSubChannelBlockView(group))).toEqual([":DynamicOverSubChannelBlockView"])
  })
  it("refuses what cannot be", () => {
    const refused = (option: string, f: () => unknown) => {
      expect(f).toThrow(InvalidOptions)
      expect(f).toThrow(`"${option}"`)
    }
    for (const groupSize of [0, -1, 1.5, Number.NaN])
      refused("groupSize", () => View.DynamicOverSubChannelBlockView({ ...group, groupSize }))
    refused("groupDim", () => View.DynamicOverSubChannelBlockView({ ...group, groupDim: 0.5 }))
    for (const groupDim of [2, -3])
      refused("groupDim", () =>
        View.OverSubChannelBlockView({ groupSize: 2, groupDim, expandedGroupwiseShape: [3, 2, 2] })
      )
    refused("expandedGroupwiseShape", () =>
      View.OverSubChannelBlockView({ ...group, expandedGroupwiseShape: [3, 2, 4] })
    )
    for (const permuteDims of [[0, 0], [1, 2], [0.5]])
      refused("permuteDims", () => View.OverOutputChannelView({ permuteDims }))
  })
})

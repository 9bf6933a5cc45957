/**
 * Views: how a tensor is laid out before a statistic or a quantizer looks at it.
 *
 * Room: core (level 2). Imports: tfjs, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as ViewOp from "../op/View.ts"
import * as Brick from "./Brick.ts"

/** Lays a tensor out anew; `groups` says how groups were made, if they were. */
export interface View extends Brick.Stateless<readonly [x: tf.Tensor], tf.Tensor> {
  readonly groups?: Groups
}
/** Groups of `size` along the axis `dim`. */
export interface Groups {
  readonly size: number
  readonly dim: number
}

const view = (
  label: string,
  apply: (x: tf.Tensor) => tf.Tensor,
  children: Readonly<Record<string, Brick.Brick>> = {}
): View => Brick.make(label, children, {}, { apply })

const permuted = (dims: ReadonlyArray<number> | undefined): View =>
  dims === undefined ? view("Identity", (x) => x) : view("PermuteDims", (x) => ViewOp.permute(x, dims))

/** The tensor as it is. */
export const identity: View = view("Identity", (x) => x)
export const Identity = Injector.component("Identity", {}, () => identity)

/** The tensor as a vector. */
export const OverTensorView = Injector.component("OverTensorView", {}, () => view("OverTensorView", ViewOp.overTensor))

/** One row for each output channel, after `permuteDims`, which brings the channels to the front. */
export const OverOutputChannelView = Injector.component(
  "OverOutputChannelView",
  { permuteDims: Injector.optional<ReadonlyArray<number> | undefined>(undefined) },
  ({ permuteDims }) => {
    const permuteImpl = permuted(permuteDims)
    return view("OverOutputChannelView", (x) => ViewOp.overRows(permuteImpl.apply(x), 1), { permuteImpl })
  }
)

const groups = { groupSize: Injector.required<number>(), groupDim: Injector.required<number>() }

/** Groups of `groupSize` along `groupDim`, padded with zeros at the end; a tensor that is grouped already stays as it is. */
export const OverSubChannelBlockView = Injector.component(
  "OverSubChannelBlockView",
  { ...groups, expandedGroupwiseShape: Injector.required<ReadonlyArray<number>>() },
  ({ groupSize: size, groupDim: dim, expandedGroupwiseShape }): View => ({
    ...view("OverSubChannelBlockView", (x) =>
      x.rank === expandedGroupwiseShape.length ? x : ViewOp.group(x, size, dim)
    ),
    groups: { size, dim }
  })
)

/** The same for inputs of any shape: groups of each call's own. */
export const DynamicOverSubChannelBlockView = Injector.component(
  "DynamicOverSubChannelBlockView",
  groups,
  ({ groupSize: size, groupDim: dim }): View => ({
    ...view("DynamicOverSubChannelBlockView", (x) => ViewOp.group(x, size, dim)),
    groups: { size, dim }
  })
)

/**
 * Views: how a tensor is laid out before a statistic or a quantizer looks at it.
 *
 * Room: core (level 2). Imports: tfjs, `tensor`, `op`, `inject`, `./Brick.ts`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import * as Injector from "../inject/Injector.ts"
import * as ViewOp from "../op/View.ts"
import { InvalidOptions } from "../tensor/LayerErrors.ts"
import { axisOf } from "../tensor/Slices.ts"
import * as Brick from "./Brick.ts"

/** Lays a tensor out anew; `groups` says how groups were made, if they were. */
export interface View extends Brick.Stateless<readonly [x: tf.Tensor], tf.Tensor> {
  readonly groups?: Groups
  /** the axis of the tensor that its rows are, if there is one row for each of its channels and all else is in order */
  readonly channel?: number
}
/** Groups of `size` along the axis `dim`, counted from the end if negative. */
export interface Groups {
  readonly size: number
  readonly dim: number
  /** what has been laid out in groups, or has one element for each, in the shape of the tensor again */
  readonly merged: (x: tf.Tensor, shape: ReadonlyArray<number>) => tf.Tensor
}

const view = (
  label: string,
  apply: (x: tf.Tensor) => tf.Tensor,
  children: Readonly<Record<string, Brick.Brick>> = {}
): View => Brick.make(label, children, {}, { apply })

// ---- the order of axes --------------------------------------------------------------------------------------

/** The tensor as it is. */
export const identity: View = { ...Brick.shown("Identity"), apply: (x: tf.Tensor) => x }
/** A view as a child of its quantizer, if it forms groups: the original shows none in binary and ternary quantizers. */
export const shownIn = (inputViewImpl: View): Readonly<Record<string, Brick.Brick>> =>
  inputViewImpl.groups === undefined ? {} : { inputViewImpl }
/** The tensor as it is. */
export const Identity = Injector.component("Identity", {}, () => identity)

const isOrder = (dims: ReadonlyArray<number>): boolean => [...dims].sort((a, b) => a - b).every((dim, i) => dim === i)

const permuting = (what: string, dims: ReadonlyArray<number>): View => {
  if (!isOrder(dims))
    throw new InvalidOptions({ what, option: "permuteDims", reason: `names each axis once, not [${dims.join(", ")}]` })
  return view("PermuteDims", (x) => ViewOp.permute(x, dims))
}

/** The axes in the order `permuteDims`. */
export const PermuteDims = Injector.component(
  "PermuteDims",
  { permuteDims: Injector.required<ReadonlyArray<number>>() },
  ({ permuteDims }) => permuting("PermuteDims", permuteDims)
)

const order = { permuteDims: Injector.optional<ReadonlyArray<number> | undefined>(undefined) }
const rowsOf = (
  label: string,
  layout: (x: tf.Tensor) => tf.Tensor,
  permuteDims: ReadonlyArray<number> | undefined
): View => {
  const permuteImpl = permuteDims === undefined ? identity : permuting(label, permuteDims)
  return view(label, (x) => layout(permuteImpl.apply(x)), { permuteImpl })
}
const permuted = <const Label extends string>(label: Label, layout: (x: tf.Tensor) => tf.Tensor) =>
  Injector.component(label, order, ({ permuteDims }) => rowsOf(label, layout, permuteDims))

// ---- rows ---------------------------------------------------------------------------------------------------

/** The tensor as a vector. */
export const OverTensorView = Injector.component("OverTensorView", {}, () => view("OverTensorView", ViewOp.overTensor))

/** One row for each output channel, after `permuteDims`, which brings the channels to the front. */
export const OverOutputChannelView = Injector.component("OverOutputChannelView", order, (given): View => {
  const made = rowsOf("OverOutputChannelView", (x) => ViewOp.overRows(x, 1), given.permuteDims)
  const [channel = 0, ...rest] = given.permuteDims ?? []
  return rest.every((dim, i) => i === 0 || dim > (rest[i - 1] as number)) ? { ...made, channel } : made
})

/** One row for each example of a batch, after `permuteDims`. */
export const OverBatchOverTensorView = permuted("OverBatchOverTensorView", (x) => ViewOp.overRows(x, 1))

/** One row for each output channel of each example, after `permuteDims`. */
export const OverBatchOverOutputChannelView = permuted("OverBatchOverOutputChannelView", (x) => ViewOp.overRows(x, 2))

/** One row of features for all else, after `permuteDims`, which brings the features to the end. */
export const OverOutputFeaturesView = permuted("OverOutputFeaturesView", ViewOp.overLast)

// ---- groups -------------------------------------------------------------------------------------------------

const groups = { groupSize: Injector.required<number>(), groupDim: Injector.required<number>() }

const grouped = (what: string, size: number, dim: number): Groups => {
  if (!Number.isInteger(size) || size < 1)
    throw new InvalidOptions({ what, option: "groupSize", reason: `is a whole number of at least 1, not ${size}` })
  if (!Number.isInteger(dim)) throw new InvalidOptions({ what, option: "groupDim", reason: `is an axis, not ${dim}` })
  return { size, dim, merged: (x, shape) => ViewOp.ungroup(x, size, dim, shape) }
}

/** Groups of `groupSize` along `groupDim`, padded with zeros at the end; a tensor that is grouped already stays as it is. */
export const OverSubChannelBlockView = Injector.component(
  "OverSubChannelBlockView",
  {
    ...groups,
    /** the shape of the grouped weight: what has as many axes is grouped already */
    expandedGroupwiseShape: Injector.required<ReadonlyArray<number>>()
  },
  ({ groupSize: size, groupDim: dim, expandedGroupwiseShape: shape }): View => {
    const what = "OverSubChannelBlockView"
    const made = grouped(what, size, dim)
    const rank = shape.length - 1
    if (dim >= rank || dim < -rank)
      throw new InvalidOptions({ what, option: "groupDim", reason: `is an axis of a tensor with ${rank}, not ${dim}` })
    const axis = axisOf(dim, rank)
    if (shape[axis + 1] !== size)
      throw new InvalidOptions({
        what,
        option: "expandedGroupwiseShape",
        reason: `has groups of ${size} after axis ${axis}, not [${shape.join(", ")}]`
      })
    return { ...view(what, (x) => (x.rank === shape.length ? x : ViewOp.group(x, size, dim))), groups: made }
  }
)

/** The same for inputs of any shape: groups of each call's own. */
export const DynamicOverSubChannelBlockView = Injector.component(
  "DynamicOverSubChannelBlockView",
  groups,
  ({ groupSize: size, groupDim: dim }): View => {
    const made = grouped("DynamicOverSubChannelBlockView", size, dim)
    return { ...view("DynamicOverSubChannelBlockView", (x) => ViewOp.group(x, size, dim)), groups: made }
  }
)

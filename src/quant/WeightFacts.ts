/**
 * What rules read off a layer's weight, and off given shapes.
 *
 * Room: quant (level 3). Imports: `core`.
 */
import * as Module from "../core/Module.ts"

type Shape = ReadonlyArray<number>

const first = (modules: Module.Modules): Module.Module => Module.list(modules)[0] as Module.Module
const toFront = (axis: number, rank: number): Shape => [
  axis,
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)
]

/** One scale for each output channel: `[1, ..., channels, ..., 1]`. */
export const channelShape = (modules: Module.Modules): Shape => {
  const { weight, outputChannelAxis } = first(modules)
  return weight.shape.map((d, i) => (i === outputChannelAxis ? d : 1))
}

/** One scale for each element of a bias. */
export const biasShape = (modules: Module.Modules): Shape => [first(modules).outChannels]

/** The axes of the weight with the output channels in front; absent if they are. */
export const channelsFirst = (modules: Module.Modules): Shape | undefined => {
  const { weight, outputChannelAxis: axis } = first(modules)
  return axis === 0 ? undefined : toFront(axis, weight.rank)
}

/** The axes of an activation with its channels in front, from a shape such as `[1, 1, 1, channels]`; absent if they are. */
export const channelsOf = (broadcastable: Shape): Shape | undefined => {
  const axis = broadcastable.findIndex((d) => d !== 1)
  return axis <= 0 ? undefined : toFront(axis, broadcastable.length)
}

/** The axis of the weight that counts input channels, along which groups are formed. */
export const inputChannelAxis = (modules: Module.Modules): number => Module.inputChannelAxis(first(modules))

/** The shape of the weight in groups: `[..., groups, size, ...]`. */
export const groupedShape = (modules: Module.Modules, dim: number, size: number): Shape =>
  first(modules).weight.shape.flatMap((d, i) => (i === dim ? [Math.ceil(d / size), size] : [d]))

/** The shape with one element along `axis`. */
export const reduced = (shape: Shape, axis: number): Shape => shape.map((d, i) => (i === axis ? 1 : d))

/** The magnitude that a range reaches. */
export const largestMagnitude = (min: number | undefined, max: number): number =>
  Math.max(Math.abs(min ?? 0), Math.abs(max))

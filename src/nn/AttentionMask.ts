/**
 * What keeps queries from keys, as a tensor to add to the scores: 0 where attention is allowed, minus infinity where it is not.
 *
 * Room: nn (level 4). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Gradient from "../tensor/Gradient.ts"

/** What is added to the scores before they are quantized, and what walls them off afterwards. */
export interface Mask {
  readonly added: tf.Tensor | undefined
  readonly walls: tf.Tensor | undefined
}

export const none: Mask = { added: undefined, walls: undefined }

const wall = (blocked: tf.Tensor): tf.Tensor => tf.where(blocked, tf.scalar(Number.NEGATIVE_INFINITY), tf.scalar(0))

/** Walls where a tensor of truth values is true. */
export const blocking = (blocked: tf.Tensor): Mask => ({ added: undefined, walls: wall(tf.cast(blocked, "bool")) })

/** A mask of floats: what is infinite in it walls off, the rest is added. */
export const adding = (mask: tf.Tensor): Mask => {
  const blocked = tf.equal(Gradient.stopped(mask), Number.NEGATIVE_INFINITY)
  return { added: tf.where(blocked, tf.zerosLike(mask), mask), walls: wall(blocked) }
}

/** Queries see no later keys. */
export const causal = (queries: number, keys: number): Mask => {
  const walls = Float32Array.from({ length: queries * keys }, (_, i) =>
    i % keys > Math.floor(i / keys) ? Number.NEGATIVE_INFINITY : 0
  )
  return { added: undefined, walls: tf.tensor2d(walls, [queries, keys]) }
}

const sum = (a: tf.Tensor | undefined, b: tf.Tensor | undefined): tf.Tensor | undefined =>
  a === undefined ? b : b === undefined ? a : tf.add(a, b)

/** Both at once. */
export const both = (a: Mask, b: Mask): Mask => ({ added: sum(a.added, b.added), walls: sum(a.walls, b.walls) })

/** The same for scores with more keys at the end, which everybody sees. */
export const extended = (mask: Mask, count: number): Mask => {
  const more = (x: tf.Tensor | undefined): tf.Tensor | undefined =>
    x && tf.concat([x, tf.zeros([...x.shape.slice(0, -1), count])], -1)
  return count === 0 ? mask : { added: more(mask.added), walls: more(mask.walls) }
}

/** Scores with the mask, through `quantize` between the sum and the walls: a quantizer sees finite scores only. */
export const masked = (
  scores: tf.Tensor,
  { added, walls }: Mask,
  quantize: (scores: tf.Tensor) => tf.Tensor
): tf.Tensor => {
  const quantized = quantize(added === undefined ? scores : tf.add(scores, added))
  return walls === undefined ? quantized : tf.add(quantized, walls)
}

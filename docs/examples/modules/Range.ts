import * as tf from "@tensorflow/tfjs-core"
import { Range } from "breve"

/** The integers of four signed bits, narrow; and how large weights may be in sum for an accumulator of 16 bits. */
export const example = () => ({
  low: Range.smallest(4, { signed: true, narrowRange: true }),
  high: Range.largest(4, { signed: true, narrowRange: true }),
  norm: Range.l1Bound(tf.scalar(16), tf.scalar(8), false)
})

export const shows = { low: -7, high: 7, norm: 127.996 }

/**
 * The clipping threshold that loses the least information, by histograms.
 *
 * Room: op (level 1). Imports: tfjs, `tensor`.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as Host from "../tensor/Host.ts"

const fround = Math.fround

/** How often each of `n` equal bins on [-a, a] is met; float32 arithmetic decides what lies on an edge, a itself is in the last bin. */
const histogram = (data: Float32Array, a: number, n: number): Float64Array => {
  const counts = new Float64Array(n)
  const [low, width] = a === 0 ? [-1, 2] : [-a, fround(2 * a)]
  for (const x of data) {
    const bin = Math.floor(fround(fround(fround(x - low) * n) / width))
    const at = Math.min(bin, n - 1)
    counts[at] = (counts[at] as number) + 1
  }
  return counts
}

const total = (values: Float64Array, from: number, to: number): number => {
  let sum = 0
  for (let i = from; i < to; i++) sum += values[i] as number
  return sum
}

/** The counts of the window spread evenly over what is not empty in each of `levels` blocks. */
const coarse = (window: Float64Array, levels: number): Float64Array => {
  const l = window.length
  const width = Math.floor(l / levels)
  const spread = new Float64Array(l)
  for (let j = 0; j < levels; j++) {
    const from = j * width
    const last = j === levels - 1
    const sum = total(window, from, last ? l : from + width)
    const to = last ? l - 1 : from + width
    let filled = 0
    for (let i = from; i < to; i++) if (window[i] !== 0) filled++
    for (let i = from; i < to; i++) if (window[i] !== 0) spread[i] = fround(sum / filled)
  }
  return spread
}

/** The distribution whose logits are the counts, 0 counting as `epsilon`: logarithms and probabilities, in float32. */
const distribution = (
  counts: Float64Array,
  epsilon: number
): readonly [logs: Float32Array, probabilities: Float32Array] => {
  const logits = Float32Array.from(counts, (c) => (c === 0 ? epsilon : c))
  const most = logits.reduce((a, b) => Math.max(a, b))
  const sum = fround(logits.reduce((s, logit) => s + Math.exp(logit - most), 0))
  const whole = fround(most + Math.log(sum))
  return [logits.map((logit) => logit - whole), logits.map((logit) => fround(Math.exp(logit - most)) / sum)]
}

/** `sum P log(P / Q)`: infinite where Q is 0, 0 where P is. */
const divergence = (p: Float64Array, q: Float64Array, epsilon: number): number => {
  if (q.every((count) => count === 0)) return Number.POSITIVE_INFINITY
  const [logP, probabilityP] = distribution(p, epsilon)
  const [logQ, probabilityQ] = distribution(q, epsilon)
  let sum = 0
  for (let i = 0; i < p.length; i++)
    if (probabilityP[i] !== 0)
      sum +=
        probabilityQ[i] === 0
          ? Number.POSITIVE_INFINITY
          : fround((probabilityP[i] as number) * fround((logP[i] as number) - (logQ[i] as number)))
  return fround(sum)
}

/**
 * The threshold at which a clipped and coarsened histogram is nearest to the one of the tensor, by Kullback and Leibler.
 *
 * - formula:  for windows of `2 i + 1` of the `bins` bins on [-a, a], `a = max |x|`, around the middle, `i = levels / 2, ..., bins / 2`:
 *   `p` has what lies outside in its first and last bin, `q` has the counts averaged over `levels` blocks; `y` is the upper edge of
 *   the first window with the smallest `KL(softmax p || softmax q)`
 * - shapes:   `x [...d] -> y []`
 * - gradient: none
 * - errors:   none; `max |x|` itself where twice that is not finite, NaN of nothing
 * - source:   Brevitas, core/stats/stats_op.py (KLMinimizerThreshold)
 *
 * @category statistic
 * @since 0.2.0
 */
export const klThreshold = (x: tf.Tensor, levels: number, bins: number, epsilon: number): tf.Tensor => {
  const data = Host.floats(x)
  const a = data.length === 0 ? Number.NaN : data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  if (!Number.isFinite(fround(2 * a))) return tf.scalar(a)
  const counts = histogram(data, a, bins)
  const half = Math.floor(bins / 2)
  let [least, best] = [Number.POSITIVE_INFINITY, Math.floor(levels / 2)]
  for (let i = best; i <= half; i++) {
    const [from, to] = [half - i, half + i + 1]
    const window = counts.slice(from, to)
    const clipped = Float64Array.from(window)
    clipped[0] = (clipped[0] as number) + total(counts, 0, from)
    clipped[2 * i] = (clipped[2 * i] as number) + total(counts, to, bins)
    const d = divergence(clipped, coarse(window, levels), epsilon)
    if (d < least) [least, best] = [d, i]
  }
  return tf.scalar(-a + (2 * a * (half + best + 1)) / bins)
}

/**
 * Cross-layer equalization on numbers: how the sizes of two sides become one factor for each channel.
 *
 * Room: ptq (level 5). Imports: nothing. Laws: test/ptq/Equalize.test.ts.
 */

/** Channels whose size is at most this are left alone. */
const least = 1e-9

/**
 * By how much each channel grows on the side of its sources, and shrinks on the side of its sinks.
 *
 * - formula:  `s = sink^(1 - alpha) / source^alpha`; 1 where either is at most 1e-9
 * - shapes:   `source, sink [channels] -> s [channels]`, in float32
 * - gradient: none
 * - errors:   none
 * - source:   Nagel et al. 2019, arXiv:1906.04721 (section 4.1, with alpha = 1/2); Xiao et al. 2022, arXiv:2211.10438
 *
 * @category equalization
 * @since 0.4.0
 */
export const factors = (source: ArrayLike<number>, sink: ArrayLike<number>, alpha = 0.5): Float32Array =>
  Float32Array.from(source, (from, i) => {
    const to = sink[i] as number
    return from > least && to > least ? to ** (1 - alpha) / from ** alpha : 1
  })

/** How far factors are from 1. */
export const distance = (all: ArrayLike<number>): number =>
  Array.from(all).reduce((most, factor) => Math.max(most, Math.abs(1 - factor)), 0)

// ---- biases -------------------------------------------------------------------------------------------------

/** By how much a bias counts less than a weight: a number, or by the rules of Vitis AI's quantizer. */
export type Shrinkage = "vaiq" | number

const middle = (sorted: Float64Array): number => (sorted[Math.floor((sorted.length - 1) / 2)] as number) ?? 0

/**
 * What a bias is divided by when it counts as an element of its channel.
 *
 * - formula:  `r = |b_c| / |w|` over all elements, `|w|` at least 1e-9; where `max |b| < 10` and `max |b| / max |w| < 20`: 5 if
 *   `median r > 100` or `mean r > 1000`, else 2; otherwise 20 if `median r > 30` or `mean r > 500`, 10 if `median r > 15` or
 *   `mean r > 250`, else 5
 * - shapes:   elements, the channel of each, `bias [channels]` -> a number
 * - gradient: none
 * - errors:   none
 * - source:   Vitis AI, vai_q_pytorch; Brevitas, graph/equalize.py (_combine_weights_bias)
 *
 * @category equalization
 * @since 0.4.0
 */
export const shrinkage = (
  weight: ArrayLike<number>,
  channel: (at: number) => number,
  bias: ArrayLike<number>,
  rule: Shrinkage
): number => {
  if (rule !== "vaiq") return rule
  const ratios = Float64Array.from(
    weight,
    (w, at) => Math.abs(bias[channel(at)] as number) / Math.max(Math.abs(w), least)
  ).sort()
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length
  const median = middle(ratios)
  const most = (values: ArrayLike<number>): number =>
    Array.from(values).reduce((so, value) => Math.max(so, Math.abs(value)), 0)
  const [b, w] = [most(bias), Math.max(most(weight), least)]
  if (b < 10 && b / w < 20) return median > 100 || mean > 1000 ? 5 : 2
  if (median > 30 || mean > 500) return 20
  return median > 15 || mean > 250 ? 10 : 5
}

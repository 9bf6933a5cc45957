/**
 * Channels of weights in two halves, on numbers.
 *
 * Room: ptq (level 5). Imports: `./Channels.ts` types, `./Ptq.ts` types. Laws: test/ptq/Prepare.test.ts.
 */
import type * as Channels from "./Channels.ts"
import type { Host } from "./Ptq.ts"

/**
 * The channels of the largest sizes, in order.
 *
 * - formula:  the first `ceil(ratio n)` of all n channels, sorted by size, the first of equals first
 * - shapes:   `sizes [n]` -> at most n channels
 * - gradient: none
 * - errors:   none
 * - source:   Zhao et al. 2019, arXiv:1901.09504; Brevitas, graph/channel_splitting.py
 *
 * @category splitting
 * @since 0.4.0
 */
export const largest = (sizes: ArrayLike<number>, ratio: number): ReadonlyArray<number> =>
  Array.from({ length: sizes.length }, (_, channel) => channel)
    .sort((a, b) => (sizes[b] as number) - (sizes[a] as number))
    .slice(0, Math.ceil(ratio * sizes.length))
    .sort((a, b) => a - b)

/**
 * A weight with copies of some channels after all others. Both a channel and its copy are multiplied with the factor: a half on the
 * one side of a connection, one on the other, leaves what is computed.
 *
 * - formula:  `w_c <- f w_c` for each channel c that is split; the same again as a further channel
 * - shapes:   `axis [n] -> [n + split]`
 * - gradient: none
 * - errors:   none
 * - source:   Zhao et al. 2019, arXiv:1901.09504
 *
 * @category splitting
 * @since 0.4.0
 */
export const split = ({ shape, data }: Host, axis: number, channels: ReadonlyArray<number>, factor: number): Host => {
  const size = shape[axis] as number
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1)
  const halved = new Set(channels)
  const from = [...Array.from({ length: size }, (_, channel) => channel), ...channels]
  const next = new Float32Array(outer * from.length * inner)
  for (let o = 0; o < outer; o++)
    for (const [to, channel] of from.entries()) {
      const by = halved.has(channel) ? factor : 1
      const [at, put] = [(o * size + channel) * inner, (o * from.length + to) * inner]
      for (let i = 0; i < inner; i++) next[put + i] = (data[at + i] as number) * by
    }
  return { shape: shape.map((n, i) => (i === axis ? from.length : n)), data: next }
}

/** The axes of a weight that are its input and output channels, if it is not in groups. */
export const axesOf = (
  form: Channels.Channelled,
  shape: ReadonlyArray<number>
): { readonly inputs: number; readonly outputs: number } | undefined => {
  const last = shape.length - 1
  switch (form.op) {
    case "linear":
      return { inputs: 0, outputs: 1 }
    case "conv":
      return form.groups === 1 ? { inputs: last - 1, outputs: last } : undefined
    case "convTranspose":
      return form.groups === 1 ? { inputs: last, outputs: last - 1 } : undefined
    default:
      return undefined
  }
}

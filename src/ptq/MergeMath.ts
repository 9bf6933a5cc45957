/**
 * Scales and shifts of channels merged into the weights next to them, on numbers.
 *
 * Room: ptq (level 5). Imports: `./Channels.ts`, `./Ptq.ts` types. Laws: test/ptq/Prepare.test.ts.
 */
import * as Channels from "./Channels.ts"
import type { Host } from "./Ptq.ts"

/** `y = x scale + shift` for each channel. */
export interface Affine {
  readonly scale: ArrayLike<number>
  readonly shift: ArrayLike<number>
}

/** What a batch normalization is made of. */
export interface Statistics {
  readonly weight: ArrayLike<number>
  readonly bias: ArrayLike<number>
  readonly mean: ArrayLike<number>
  readonly variance: ArrayLike<number>
}

/** A weight, and its bias if there is one. */
export interface Parameters {
  readonly weight: Host
  readonly bias?: Host | undefined
}

/**
 * What a batch normalization does in evaluation.
 *
 * - formula:  `scale = weight / sqrt(variance + eps)`, `shift = bias - mean scale`
 * - shapes:   all `[channels]`
 * - gradient: none
 * - errors:   none
 * - source:   Jacob et al. 2018, arXiv:1712.05877 (section 3.2)
 *
 * @category merging
 * @since 0.4.0
 */
export const affineOf = ({ weight, bias, mean, variance }: Statistics, epsilon: number): Affine => {
  const scale = Float64Array.from(weight, (w, i) => w / Math.sqrt((variance[i] as number) + epsilon))
  return { scale, shift: scale.map((s, i) => (bias[i] as number) - (mean[i] as number) * s) }
}

/**
 * A layer that does what it did, and after that what a scale and shift of its outputs did.
 *
 * - formula:  `W_c <- W_c scale_c`, `b_c <- b_c scale_c + shift_c`; a missing b counts as 0
 * - shapes:   scale and shift have the channels of the outputs
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, nn/utils.py (merge_bn)
 *
 * @category merging
 * @since 0.4.0
 */
export const intoLayerBefore = (
  form: Channels.Channelled,
  { weight, bias }: Parameters,
  { scale, shift }: Affine
): { readonly weight: Host; readonly bias: Host } => ({
  weight: { ...weight, data: Channels.times(Channels.outputsOf(form, weight.shape), weight.data, scale) },
  bias: {
    shape: [shift.length],
    data: Float32Array.from(shift, (t, i) => (bias?.data[i] ?? 0) * (scale[i] as number) + t)
  }
})

/**
 * A layer that does what a scale and shift of its inputs did, and then what it did. With a shift its outputs must all see every input:
 * no zeros around an image.
 *
 * - formula:  `b_o <- b_o + sum_i W_io shift_i`, `W_i <- W_i scale_i`
 * - shapes:   scale and shift have the channels of the inputs
 * - gradient: none
 * - errors:   none
 * - source:   Brevitas, graph/equalize.py (MergeLnAffine)
 *
 * @category merging
 * @since 0.4.0
 */
export const intoLayerAfter = (
  form: Channels.Channelled,
  { weight, bias }: Parameters,
  { scale, shift }: Affine
): Parameters => {
  const [from, to] = [Channels.inputsOf(form, weight.shape), Channels.outputsOf(form, weight.shape)]
  const scaled = { ...weight, data: Channels.times(from, weight.data, scale) }
  if (Array.from(shift).every((t) => t === 0)) return { weight: scaled, bias }
  const sums = Float64Array.from({ length: to.count }, (_, o) => bias?.data[o] ?? 0)
  for (const [at, w] of weight.data.entries()) {
    const o = to.channel(at)
    sums[o] = (sums[o] as number) + w * (shift[from.channel(at)] as number)
  }
  return { weight: scaled, bias: { shape: [to.count], data: Float32Array.from(sums) } }
}

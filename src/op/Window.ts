/**
 * Windows that move over an image: how many there are along each axis, and the zeros that they need around it.
 *
 * Room: op (level 1). Imports: nothing. Laws: test/op/Convolution.test.ts, test/op/Pool.test.ts.
 */

// ---- model --------------------------------------------------------------------------------------------------

/** For the height and the width. */
export type Pair = readonly [number, number]

/** Around an image: as much as keeps `ceil(size / stride)`, nothing, the same on all sides, or [[top, bottom], [left, right]]. */
export type Pad = "same" | "valid" | number | readonly [Pair, Pair]

/** How windows lie: each pair is for the height and the width. */
export interface Lie {
  readonly strides: Pair
  readonly pad: Pad
  readonly dilations: Pair
}

/** Windows along one axis: sizes of the image, of the result and of a window, and what is added before and after. */
export interface Axis {
  readonly input: number
  readonly output: number
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  readonly before: number
  readonly after: number
}

/** Both axes. */
export interface Geometry {
  readonly rows: Axis
  readonly columns: Axis
}

// ---- operations ---------------------------------------------------------------------------------------------

/** The zeros before and after in numbers; "same" puts the odd one after, as TensorFlow does. No window fits: the result is empty. */
const along = (input: number, kernel: number, axis: 0 | 1, { strides, pad, dilations }: Lie): Axis => {
  const [stride, dilation] = [strides[axis], dilations[axis]]
  const span = (kernel - 1) * dilation + 1
  const missing = pad === "same" ? Math.max(0, (Math.ceil(input / stride) - 1) * stride + span - input) : 0
  const [before, after] =
    pad === "same"
      ? [Math.floor(missing / 2), Math.ceil(missing / 2)]
      : pad === "valid"
        ? [0, 0]
        : typeof pad === "number"
          ? [pad, pad]
          : pad[axis]
  const output = Math.max(0, Math.floor((input + before + after - span) / stride) + 1)
  return { input, output, kernel, stride, dilation, before, after }
}

/**
 * How windows of a size lie on an image.
 *
 * - formula:  `output = floor((input + before + after - (kernel - 1) dilation - 1) / stride) + 1`, at least 0; "same": `ceil(input / stride)`
 * - shapes:   sizes of the image and of a window -> both axes
 * - gradient: none: numbers, no tensors
 * - errors:   none
 * - source:   Dumoulin and Visin 2016, arXiv:1603.07285
 *
 * @category windows
 * @since 0.3.0
 */
export const geometry = ([height, width]: Pair, [tall, wide]: Pair, lie: Lie): Geometry => ({
  rows: along(height, tall, 0, lie),
  columns: along(width, wide, 1, lie)
})

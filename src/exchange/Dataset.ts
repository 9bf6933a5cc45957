/**
 * Labelled grey images as plain bytes: what readers answer and generators make, before any tensor exists.
 *
 * Room: exchange (level 5). Imports: nothing, so it is safe in a browser.
 */

// ---- model --------------------------------------------------------------------------------------------------

/** `count` images of `height` x `width` pixels, row by row, 0 (paper) to 255 (ink), and one label for each. */
export interface Dataset {
  /** count * height * width bytes, image after image */
  readonly images: Uint8Array
  /** count bytes */
  readonly labels: Uint8Array
  readonly count: number
  readonly height: number
  readonly width: number
}

// ---- operations ---------------------------------------------------------------------------------------------

/** Images `from` to `to - 1`, sharing the bytes of the whole: to hold some out for testing. */
export const slice = (dataset: Dataset, from: number, to: number): Dataset => {
  const size = dataset.height * dataset.width
  const labels = dataset.labels.subarray(from, to)
  return {
    ...dataset,
    labels,
    count: labels.length,
    images: dataset.images.subarray(from * size, (from + labels.length) * size)
  }
}

/** The pixels of the named images in that order, divided by 255: [n * height * width] numbers from 0 to 1. */
export const pixels = (dataset: Dataset, indices: ArrayLike<number>): Float32Array => {
  const size = dataset.height * dataset.width
  const values = new Float32Array(indices.length * size)
  for (let i = 0; i < indices.length; i++) {
    const start = (indices[i] ?? 0) * size
    for (let p = 0; p < size; p++) values[i * size + p] = (dataset.images[start + p] ?? 0) / 255
  }
  return values
}

/** The labels of the named images in that order. */
export const labels = (dataset: Dataset, indices: ArrayLike<number>): Int32Array =>
  Int32Array.from(indices, (index) => dataset.labels[index] ?? 0)

/** How often each label from 0 to `classes - 1` occurs. */
export const histogram = (dataset: Dataset, classes: number): ReadonlyArray<number> =>
  dataset.labels.reduce(
    (counts, label) => counts.with(label, (counts[label] ?? 0) + 1),
    Array.from({ length: classes }, () => 0)
  )

/** The same images by their places, which is how `Classifier.source` asks for them. */
export const reader = (dataset: Dataset) => ({
  count: dataset.count,
  height: dataset.height,
  width: dataset.width,
  pixels: (indices: ArrayLike<number>): Float32Array => pixels(dataset, indices),
  labels: (indices: ArrayLike<number>): Int32Array => labels(dataset, indices)
})

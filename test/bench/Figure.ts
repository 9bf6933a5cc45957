/** What is measured: a call, how often it is repeated within one sample, and what its figure is called. */
import * as tf from "@tensorflow/tfjs-core"

export interface Figure {
  readonly name: string
  readonly inner: number
  readonly call: () => void
  /** of how many calls the median is taken, for what takes seconds; default: 51 */
  readonly samples?: number
  /** what is different while it is measured */
  readonly around?: (measure: () => number) => number
}

/** Values over (-1, 1) without a pattern. */
export const spread = (shape: ReadonlyArray<number>): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => ((i * 2654435761) % 65536) / 32768 - 1),
    [...shape]
  )

/** One call whose results are dropped. */
export const dropped = (f: () => unknown) => (): void => {
  tf.tidy(() => {
    f()
  })
}

/** WebAssembly is compiled twice, the second time in the background: until then it is slow. */
const warmUpMs = 400

const sampled = ({ call, inner, samples: count = 51 }: Figure): number => {
  const start = performance.now()
  while (performance.now() - start < warmUpMs) for (let i = 0; i < inner; i++) call()
  const samples = Array.from({ length: count }, () => {
    const begin = performance.now()
    for (let i = 0; i < inner; i++) call()
    return (performance.now() - begin) / inner
  })
  return samples.sort((a, b) => a - b)[count >> 1] as number
}

/** Median milliseconds of one call, out of 51 samples or as many as the figure says. */
export const median = (figure: Figure): number =>
  figure.around === undefined ? sampled(figure) : figure.around(() => sampled(figure))

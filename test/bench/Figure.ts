/** What is measured: a call, how often it is repeated within one sample, and what its figure is called. */
import * as tf from "@tensorflow/tfjs-core"

export interface Figure {
  readonly name: string
  readonly inner: number
  readonly call: () => void
}

/** One call whose results are dropped. */
export const dropped = (f: () => unknown) => (): void => {
  tf.tidy(() => {
    f()
  })
}

/** Median milliseconds of one call, out of 51 samples. */
export const median = ({ call, inner }: Figure): number => {
  for (let i = 0; i < 10 * inner; i++) call()
  const samples = Array.from({ length: 51 }, () => {
    const begin = performance.now()
    for (let i = 0; i < inner; i++) call()
    return (performance.now() - begin) / inner
  })
  return samples.sort((a, b) => a - b)[25] as number
}

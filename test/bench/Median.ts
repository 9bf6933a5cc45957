/** Median milliseconds of one call of `f`, which is repeated `inner` times within each of 51 samples. */
export const median = (f: () => void, inner: number): number => {
  for (let i = 0; i < 10 * inner; i++) f()
  const samples = Array.from({ length: 51 }, () => {
    const begin = performance.now()
    for (let i = 0; i < inner; i++) f()
    return (performance.now() - begin) / inner
  })
  return samples.sort((a, b) => a - b)[25] as number
}

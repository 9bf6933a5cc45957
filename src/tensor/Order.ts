/**
 * The order of many numbers, faster than sorting by comparison.
 *
 * Room: tensor (level 0). Imports: nothing. Laws: test/tensor/Order.test.ts.
 */

/**
 * The places of positive, finite keys in ascending order. Each key is first packed with its place into one double of 52 bits,
 * coarsely, so that these sort natively; then those that were packed alike are sorted by comparison.
 */
export const ascending = (keys: Float64Array): Uint32Array => {
  const n = keys.length
  let [low, high] = [Number.POSITIVE_INFINITY, 0]
  for (let i = 0; i < n; i++) {
    const key = keys[i] as number
    if (key < low) low = key
    if (key > high) high = key
  }
  const places = 2 ** Math.ceil(Math.log2(n + 1))
  const [range, steps] = [high > low ? high - low : 1, 2 ** 52 / places - 1]
  const packed = new Float64Array(n)
  for (let i = 0; i < n; i++) packed[i] = Math.floor((((keys[i] as number) - low) / range) * steps) * places + i
  packed.sort()
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[i] = (packed[i] as number) % places
  const step = (i: number): number => Math.floor((packed[i] as number) / places)
  for (let from = 0; from < n; ) {
    let to = from + 1
    while (to < n && step(to) === step(from)) to++
    if (to > from + 1) order.subarray(from, to).sort((p, q) => (keys[p] as number) - (keys[q] as number) || p - q)
    from = to
  }
  return order
}

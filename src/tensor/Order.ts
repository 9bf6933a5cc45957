/**
 * The order of many numbers, faster than sorting by comparison.
 *
 * Room: tensor (level 0). Imports: nothing. Laws: test/tensor/Order.test.ts.
 */

/**
 * The places of positive, finite keys in ascending order. Each key is first packed with its place into one double of 52 bits,
 * coarsely, so that these sort natively; then neighbours that were packed alike are put in order.
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
  const steps = high > low ? (2 ** 52 / places - 1) / (high - low) : 0
  const packed = new Float64Array(n)
  for (let i = 0; i < n; i++) packed[i] = Math.floor(((keys[i] as number) - low) * steps) * places + i
  packed.sort()
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) {
    const place = (packed[i] as number) % places
    const key = keys[place] as number
    let j = i
    for (; j > 0 && (keys[order[j - 1] as number] as number) > key; j--) order[j] = order[j - 1] as number
    order[j] = place
  }
  return order
}

/**
 * The k-th smallest number, without sorting the others.
 *
 * Room: tensor (level 0). Imports: nothing. Laws: test/tensor/Select.test.ts.
 */

const swap = (values: Float32Array, i: number, j: number): void => {
  const held = values[i] as number
  values[i] = values[j] as number
  values[j] = held
}

/** Where a sample of the range lies that is likely to hold the k-th number (Floyd and Rivest 1975, CACM 18(3), algorithm 489). */
const narrowed = (left: number, right: number, k: number): readonly [left: number, right: number] => {
  const n = right - left + 1
  const i = k - left + 1
  const z = Math.log(n)
  const size = 0.5 * Math.exp((2 * z) / 3)
  const deviation = 0.5 * Math.sqrt((z * size * (n - size)) / n) * Math.sign(i - n / 2)
  return [
    Math.max(left, Math.floor(k - (i * size) / n + deviation)),
    Math.min(right, Math.floor(k + ((n - i) * size) / n + deviation))
  ]
}

/** Orders `values[left..right]` around place `k`: nothing before it is larger, nothing after it is smaller. */
const order = (values: Float32Array, from: number, to: number, k: number): void => {
  let [left, right] = [from, to]
  while (right > left) {
    if (right - left > 600) order(values, ...narrowed(left, right, k), k)
    const pivot = values[k] as number
    let [i, j] = [left, right]
    swap(values, left, k)
    if ((values[right] as number) > pivot) swap(values, left, right)
    while (i < j) {
      swap(values, i++, j--)
      while ((values[i] as number) < pivot) i++
      while ((values[j] as number) > pivot) j--
    }
    if (values[left] === pivot) swap(values, left, j)
    else swap(values, ++j, right)
    if (j <= k) left = j + 1
    if (k <= j) right = j - 1
  }
}

/** The `k`-th smallest of the numbers, `k` from 1 to their count and none of them NaN. Reorders them. */
export const smallest = (values: Float32Array, k: number): number => {
  order(values, 0, values.length - 1, k - 1)
  return values[k - 1] as number
}

/** Sums of floats in double precision, in memory. */
import { back, front } from "./double"

/** Adds four numbers to four sums, or the first one to one. */
@inline
export function addTo(sums: usize, v: v128, full: bool): void {
  if (full) {
    v128.store(sums, f64x2.add(v128.load(sums), front(v)))
    v128.store(sums, f64x2.add(v128.load(sums, 16), back(v)), 16)
  } else store<f64>(sums, load<f64>(sums) + <f64>f32x4.extract_lane(v, 0))
}

/** The product of two matrices that lie in rows, each transposed or not, and a bias for each column (or 0: none). */
import { product } from "./gemm"

export function matMul(
  a: usize, b: usize, bias: usize, c: usize, m: i32, n: i32, k: i32, transposeA: bool, transposeB: bool, scratch: usize
): void {
  product(
    a, b, c, m, n, k,
    transposeA ? 1 : k, transposeA ? m : 1, transposeB ? 1 : n, transposeB ? k : 1, n, bias, 0, scratch
  )
}

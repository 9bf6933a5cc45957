/**
 * Orthogonal matrices, and weights between rotated values.
 *
 * Room: ptq (level 5). Imports: `tensor`, `./Channels.ts` types, `./Matrix.ts`, `./Ptq.ts` types, `./SplitMath.ts`.
 * Laws: test/ptq/Rotation.test.ts.
 */
import * as Random from "../tensor/Random.ts"
import type * as Channels from "./Channels.ts"
import * as Matrix from "./Matrix.ts"
import type { Host } from "./Ptq.ts"
import * as SplitMath from "./SplitMath.ts"

// ---- Hadamard matrices --------------------------------------------------------------------------------------

const filled = (n: number, at: (row: number, column: number) => number): Matrix.Matrix =>
  Matrix.make(
    n,
    n,
    Float64Array.from({ length: n * n }, (_, i) => at(Math.floor(i / n), i % n))
  )

const isPrime = (q: number): boolean => {
  for (let d = 2; d * d <= q; d++) if (q % d === 0) return false
  return q > 1
}

/** 1 for the squares modulo a prime, -1 for the others, 0 for 0. */
const characterOf = (q: number): ((x: number) => number) => {
  const squares = new Set(Array.from({ length: q - 1 }, (_, i) => (i + 1) ** 2 % q))
  return (x) => {
    const rest = ((x % q) + q) % q
    return rest === 0 ? 0 : squares.has(rest) ? 1 : -1
  }
}

/** `H` of `q + 1` rows, for a prime `q = 3 (mod 4)`. */
const firstPaley = (q: number): Matrix.Matrix => {
  const character = characterOf(q)
  return filled(q + 1, (i, j) => {
    if (i === j) return 1
    if (i === 0) return 1
    return j === 0 ? -1 : character(i - j)
  })
}

/** `H` of `2 (q + 1)` rows, for a prime `q = 1 (mod 4)`. */
const secondPaley = (q: number): Matrix.Matrix => {
  const character = characterOf(q)
  const conference = (i: number, j: number): number => (i === j ? 0 : i === 0 || j === 0 ? 1 : character(i - j))
  return filled(2 * (q + 1), (i, j) => {
    const [a, b] = [Math.floor(i / 2), Math.floor(j / 2)]
    const c = conference(a, b)
    const [lower, right] = [i % 2 === 1, j % 2 === 1]
    if (c === 0) return lower && right ? -1 : !lower && !right ? 1 : -1
    return lower && right ? -c : c
  })
}

/** Twice as many rows. */
const doubled = (h: Matrix.Matrix): Matrix.Matrix =>
  filled(2 * h.rows, (i, j) => (i >= h.rows && j >= h.rows ? -1 : 1) * Matrix.at(h, i % h.rows, j % h.rows))

/**
 * A matrix of plus and minus one with orthogonal rows: of 1 or 2 rows, `q + 1` for a prime q that is 3 modulo 4, `2 (q + 1)` for one that
 * is 1 modulo 4, or any of these doubled; so of every power of two, 12, 20, 28, 36, 44 rows and so on.
 *
 * - formula:  `H H^T = n I`
 * - shapes:   `[n, n]`
 * - gradient: none
 * - errors:   undefined where none of these constructions gives n rows
 * - source:   Sylvester 1867; Paley 1933, Journal of Mathematics and Physics 12; Ashkboos et al. 2024, arXiv:2404.00456
 *
 * @category rotations
 * @since 0.4.0
 */
export const hadamard = (n: number): Matrix.Matrix | undefined => {
  if (n === 1) return filled(1, () => 1)
  if (!Number.isInteger(n) || n < 1) return undefined
  const half = n % 2 === 0 ? hadamard(n / 2) : undefined
  if (half !== undefined) return doubled(half)
  if (n % 4 === 0 && isPrime(n - 1)) return firstPaley(n - 1)
  const q = n / 2 - 1
  return n % 4 === 0 && q % 4 === 1 && isPrime(q) ? secondPaley(q) : undefined
}

// ---- rotations ----------------------------------------------------------------------------------------------

/** A Hadamard matrix with columns of random sign, or a matrix of random orthogonal columns. */
export type Kind = "hadamard" | "orthogonal"

/** Columns drawn at random, each without what it shares with those before; twice, for the rounding. */
const orthogonal = (n: number, random: Random.Random): Matrix.Matrix => {
  const rows = Matrix.make(n, n, Random.normal(random, n * n, 0, 1))
  for (let i = 0; i < n; i++) {
    const own = Matrix.row(rows, i)
    for (let pass = 0; pass < 2; pass++)
      for (let k = 0; k < i; k++) {
        const other = Matrix.row(rows, k)
        const shared = own.reduce((sum, x, j) => sum + x * (other[j] as number), 0)
        for (let j = 0; j < n; j++) own[j] = (own[j] as number) - shared * (other[j] as number)
      }
    const norm = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0))
    for (let j = 0; j < n; j++) own[j] = (own[j] as number) / norm
  }
  return rows
}

/**
 * An orthogonal matrix of n rows, from a seed.
 *
 * - formula:  `R R^T = I`; of Hadamard's kind `R = diag(+-1) H / sqrt(n)`
 * - shapes:   `[n, n]`
 * - gradient: none
 * - errors:   undefined where there is no Hadamard matrix of n rows
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456; Liu et al. 2024, arXiv:2405.16406
 *
 * @category rotations
 * @since 0.4.0
 */
export const rotation = (kind: Kind, n: number, random: Random.Random): Matrix.Matrix | undefined => {
  if (kind === "orthogonal") return orthogonal(n, random)
  const h = hadamard(n)
  if (h === undefined) return undefined
  const signs = Random.uniform(random, n, -1, 1).map((x) => (x < 0 ? -1 : 1))
  const size = Math.sqrt(n)
  return { ...h, data: h.data.map((x, i) => (x * (signs[Math.floor(i / n)] as number)) / size) }
}

/** Along an axis of numbers: `y_j = sum_i x_i R_ij`. */
const along = ({ shape, data }: Host, axis: number, r: Matrix.Matrix): Host => {
  const n = shape[axis] as number
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
  const next = new Float32Array(data.length)
  const sums = new Float64Array(n)
  for (let start = 0; start < data.length; start += n * inner)
    for (let k = 0; k < inner; k++) {
      sums.fill(0)
      for (let i = 0; i < n; i++) {
        const x = data[start + i * inner + k] as number
        const row = Matrix.row(r, i)
        for (let j = 0; j < n; j++) sums[j] = (sums[j] as number) + x * (row[j] as number)
      }
      for (let j = 0; j < n; j++) next[start + j * inner + k] = sums[j] as number
    }
  return { shape, data: next }
}

/**
 * A layer whose outputs, or whose inputs, are rotated: `y R` is what it answers then, or what it reads is `x R`.
 *
 * - formula:  of the outputs `W <- W R`, `b <- b R`; of the inputs `W <- R^T W`
 * - shapes:   `R [channels, channels]` of that side
 * - gradient: none
 * - errors:   none; the layer must not be in groups
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456 (section 4)
 *
 * @category rotations
 * @since 0.4.0
 */
export const rotated = (
  form: Channels.Channelled,
  { weight, bias }: { readonly weight: Host; readonly bias?: Host | undefined },
  side: "inputs" | "outputs",
  r: Matrix.Matrix
): { readonly weight: Host; readonly bias?: Host } => {
  const axis = SplitMath.axesOf(form, weight.shape)?.[side] as number
  const turned = along(weight, axis, r)
  if (bias === undefined) return { weight: turned }
  return { weight: turned, bias: side === "outputs" ? along(bias, 0, r) : bias }
}

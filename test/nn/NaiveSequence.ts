/**
 * Recurrent layers and attention in plain loops over numbers: what the layers are compared with.
 */

export type Row = ReadonlyArray<number>
export type Matrix = ReadonlyArray<Row>
/** What quantizes one number; absent: nothing. */
export type Quant = (x: number) => number

const same: Quant = (x) => x
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** 8 bits with this step. */
export const stepped =
  (step: number, low = -128, high = 127): Quant =>
  (x) => {
    const scaled = x / step
    const down = Math.floor(scaled)
    const rest = scaled - down
    const nearest = rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
    return Math.min(high, Math.max(low, nearest)) * step
  }

/** `x W` of a row and a matrix `[in, out]`. */
export const product = (x: Row, weight: Matrix): Row =>
  (weight[0] ?? []).map((_, j) => x.reduce((sum, xi, i) => sum + xi * ((weight[i] as Row)[j] as number), 0))

export interface Gate {
  readonly input: Matrix
  readonly hidden: Matrix
  readonly bias: Row
}

const sumOf = (gate: Gate, x: Row, hidden: Row): Row => {
  const [ofInput, ofHidden] = [product(x, gate.input), product(hidden, gate.hidden)]
  return gate.bias.map((b, j) => (ofInput[j] as number) + (ofHidden[j] as number) + b)
}

export interface State {
  readonly hidden: Row
  readonly cell: Row
}

export const rnnStep =
  (gate: Gate, f: (x: number) => number, io: Quant = same, acc: Quant = same) =>
  (x: Row, { hidden, cell }: State): State => ({
    hidden: sumOf(gate, x.map(io), hidden).map((s) => io(f(acc(s)))),
    cell
  })

/** Gates in the order input, forget, cell, output; without the second one it is 1 minus the first. */
export const lstmStep =
  (gates: { readonly input: Gate; readonly forget?: Gate; readonly cell: Gate; readonly output: Gate }) =>
  (x: Row, { hidden, cell }: State): State => {
    const { input, forget, cell: candidate, output } = gates
    const i = sumOf(input, x, hidden).map(sigmoid)
    const f = forget === undefined ? i.map((one) => 1 - one) : sumOf(forget, x, hidden).map(sigmoid)
    const g = sumOf(candidate, x, hidden).map(Math.tanh)
    const o = sumOf(output, x, hidden).map(sigmoid)
    const next = cell.map((c, j) => (f[j] as number) * c + (i[j] as number) * (g[j] as number))
    return { hidden: next.map((c, j) => (o[j] as number) * Math.tanh(c)), cell: next }
  }

type Step = (x: Row, before: State) => State

/** The states after every step of one sequence, in the order of time. */
export const passed = (step: Step, xs: Matrix, first: State, backwards = false): ReadonlyArray<State> => {
  const states: Array<State> = []
  for (const x of backwards ? xs.toReversed() : xs) states.push(step(x, states.at(-1) ?? first))
  return backwards ? states.toReversed() : states
}

/** `softmax(q kᵀ scale + mask) v` of one head. */
export const attended = (
  q: Matrix,
  k: Matrix,
  v: Matrix,
  scale: number,
  mask: (query: number, key: number) => number = () => 0,
  quants: { readonly q?: Quant; readonly k?: Quant; readonly v?: Quant; readonly weights?: Quant } = {}
): { readonly output: Matrix; readonly weights: Matrix } => {
  const { q: ofQ = same, k: ofK = same, v: ofV = same, weights: ofWeights = same } = quants
  const weights = q.map((row, i) => {
    const scores = k.map(
      (key, j) => row.reduce((sum, x, e) => sum + ofQ(x * scale) * ofK(key[e] as number), 0) + mask(i, j)
    )
    const exps = scores.map((s) => Math.exp(s - Math.max(...scores)))
    const total = exps.reduce((a, b) => a + b, 0)
    return exps.map((e) => ofWeights(e / total))
  })
  return {
    output: weights.map((row) =>
      product(
        row,
        v.map((one) => one.map(ofV))
      )
    ),
    weights
  }
}

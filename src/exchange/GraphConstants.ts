/**
 * The integers of what a layer has learned.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`. Laws: test/exchange/Trace.test.ts.
 */
import * as Graph from "./Graph.ts"

/** To the nearest whole number, a tie to the even one. */
export const roundEven = (x: number): number => {
  const near = Math.round(x)
  return Math.abs(near - x) === 0.5 && near % 2 !== 0 ? near - 1 : near
}

/** For each place of a value of this shape the place in numbers that are spread over it. */
export const spread = ({ shape, data }: Graph.Numbers, over: ReadonlyArray<number>): ((at: number) => number) => {
  if (data.length === 1) return () => 0
  const full = [...over.map(() => 1).slice(shape.length), ...shape]
  const sizes = over.map((_, i) => over.slice(i + 1).reduce((a, b) => a * b, 1))
  const own = full.map((_, i) => full.slice(i + 1).reduce((a, b) => a * b, 1))
  return (at) =>
    over.reduce((sum, size, i) => {
      const index = Math.floor(at / (sizes[i] as number)) % size
      return sum + (full[i] === 1 ? 0 : index * (own[i] as number))
    }, 0)
}

const rounds: Readonly<Record<Graph.Rounding, ((x: number) => number) | undefined>> = {
  nearest: roundEven,
  floor: Math.floor,
  ceil: Math.ceil,
  toZero: Math.trunc,
  other: undefined
}

/** The integers that the formula of a grid makes of values, in float32 as quantizers compute. */
export const formula = ({ data, shape }: Graph.Numbers, grid: Graph.IntegerGrid): Float64Array | undefined => {
  const round = rounds[grid.rounding]
  if (round === undefined) return undefined
  const [low, high] = Graph.boundsOf(grid)
  const [scaleAt, zeroAt] = [spread(grid.scale, shape), spread(grid.zeroPoint, shape)]
  return Float64Array.from(data, (x, i) => {
    const scaled = Math.fround(x / (grid.scale.data[scaleAt(i)] as number))
    const shifted = Math.fround(scaled + (grid.zeroPoint.data[zeroAt(i)] as number))
    return Math.min(Math.max(round(shifted), low), high) + 0
  })
}

/** Whether integers are those of a quantized value, to the bit. */
const stands = (
  integers: Float64Array,
  { value, grid }: { value: Graph.Numbers; grid: Graph.IntegerGrid }
): boolean => {
  const [scaleAt, zeroAt] = [spread(grid.scale, value.shape), spread(grid.zeroPoint, value.shape)]
  return integers.every((q, i) => {
    const centred = Math.fround(Math.fround(q) - (grid.zeroPoint.data[zeroAt(i)] as number))
    return Math.fround(centred * (grid.scale.data[scaleAt(i)] as number)) === value.data[i]
  })
}

/** Whether the formula of its grid makes the quantized value of the raw one. */
export const isByFormula = ({ raw, quantized }: Graph.Constant): boolean => {
  if (quantized?.grid.kind !== "integer") return false
  const { value, grid } = quantized
  const integers = formula(raw, grid)
  return integers !== undefined && stands(integers, { value, grid })
}

/** The integers of a constant on an integer, binary or ternary grid; undefined: it is on none, or off its grid. */
export const integersOf = (constant: Graph.Constant): Float64Array | undefined => {
  const { raw, quantized } = constant
  if (quantized === undefined || quantized.grid.kind === "minifloat") return undefined
  const { value, grid } = quantized
  const scaleAt = spread(grid.scale, value.shape)
  if (grid.kind !== "integer")
    return Float64Array.from(value.data, (x, i) => roundEven(x / (grid.scale.data[scaleAt(i)] as number)) + 0)
  if (isByFormula(constant)) return formula(raw, grid)
  const zeroAt = spread(grid.zeroPoint, value.shape)
  const [low, high] = Graph.boundsOf(grid)
  const steps = Float64Array.from(
    value.data,
    (x, i) => x / (grid.scale.data[scaleAt(i)] as number) + (grid.zeroPoint.data[zeroAt(i)] as number)
  )
  const whole = steps.map((q) => roundEven(q) + 0)
  return whole.every((q, i) => Math.abs(q - (steps[i] as number)) < 0.2 && q >= low && q <= high) ? whole : undefined
}

/** The grid that binary and ternary values lie on, as one of integers. */
export const asIntegers = (grid: Exclude<Graph.Grid, { kind: "minifloat" }>): Graph.IntegerGrid =>
  grid.kind === "integer"
    ? grid
    : {
        kind: "integer",
        scale: grid.scale,
        zeroPoint: { shape: [], data: new Float32Array(1) },
        bits: 2,
        signed: true,
        narrow: true,
        rounding: "nearest"
      }

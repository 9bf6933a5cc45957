/**
 * Between the layouts: breve keeps channels last, ONNX first.
 *
 * Room: exchange (level 5). Imports: `./Graph.ts`. Laws: test/exchange/Onnx.test.ts.
 */
import * as Graph from "./Graph.ts"

/** A value as ONNX has it. */
export interface Held {
  readonly name: string
  /** whether its channels are the second axis; else all axes are as in breve */
  readonly first: boolean
  /** of an image that was flattened channel by channel: how many pixels and channels it had */
  readonly flat?: { readonly pixels: number; readonly channels: number }
}

const range = (from: number, to: number): ReadonlyArray<number> => Array.from({ length: to - from }, (_, i) => from + i)

/** Where each axis of the other layout is, of values. */
export const toFirst = (rank: number): ReadonlyArray<number> => [0, rank - 1, ...range(1, rank - 1)]
export const toLast = (rank: number): ReadonlyArray<number> => [0, ...range(2, rank), 1]

/** Whether a value from outside or for outside has its channels first: images do, and sequences that are convolved. */
export const isOutsideFirst = (graph: Graph.Graph, name: string): boolean => {
  const rank = graph.shapes[name]?.length ?? 0
  const isSequence = graph.nodes.some(({ operation }) => "lie" in operation && operation.lie.kernel.length === 1)
  return rank > 3 || (rank === 3 && isSequence)
}

/** An axis of breve's in the layout of a held value. */
export const axisIn = (held: Held, axis: number, rank: number): number =>
  held.first ? toFirst(rank).indexOf(axis) : axis

/** A shape of breve's in that layout. */
export const shapeIn = (held: Held, shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  held.first ? toFirst(shape.length).map((axis) => shape[axis] as number) : shape

/** Numbers that are spread over a value, with as many axes as it has. */
const whole = ({ shape, data }: Graph.Numbers, rank: number): Graph.Numbers => ({
  shape: [...range(0, rank - shape.length).map(() => 1), ...shape],
  data
})

/** A constant and the numbers of its grid, each through `f`. */
const through = (constant: Graph.Constant, f: (numbers: Graph.Numbers) => Graph.Numbers): Graph.Constant => {
  const { raw, quantized } = constant
  const rank = raw.shape.length
  const part = (numbers: Graph.Numbers): Graph.Numbers =>
    numbers.data.length === 1 ? numbers : f(whole(numbers, rank))
  if (quantized === undefined) return { raw: f(raw) }
  const { value, grid } = quantized
  const scale = part(grid.scale)
  const moved = grid.kind === "integer" ? { ...grid, scale, zeroPoint: part(grid.zeroPoint) } : { ...grid, scale }
  return { raw: f(raw), quantized: { value: f(value), grid: moved } }
}

/** `[...kernel, in, out]` as `[out, in, ...kernel]`. */
export const weight = (constant: Graph.Constant): Graph.Constant => {
  const rank = constant.raw.shape.length
  const order = [rank - 1, rank - 2, ...range(0, rank - 2)]
  return through(constant, (numbers) => Graph.permuted(numbers, order))
}

/** `[in, out]` whose inputs are pixels with their channels, as channels with their pixels. */
export const rows = (constant: Graph.Constant, { pixels, channels }: NonNullable<Held["flat"]>): Graph.Constant =>
  through(constant, ({ shape, data }) => {
    const [inner = 0, outer = 0] = shape
    if (inner === 1) return { shape, data }
    const moved = Graph.permuted({ shape: [pixels, channels, outer], data }, [1, 0, 2])
    return { shape, data: moved.data }
  })

/** Numbers for each channel, beside a value of so many axes with its channels second. */
export const perChannel = (constant: Graph.Constant, rank: number): Graph.Constant =>
  through(constant, ({ shape, data }) => ({ shape: [...shape, ...range(0, rank - 2).map(() => 1)], data }))

/**
 * Whether the order of the elements of a flattened value does not matter: whatever takes it works element by element, or is a
 * linear layer, whose weight can follow.
 */
export const mayReorder = (graph: Graph.Graph, name: string): boolean => {
  if (name === graph.output) return false
  return graph.nodes
    .filter(({ inputs }) => inputs.includes(name))
    .every(({ operation, output }) => {
      switch (operation.op) {
        case "linear":
          return true
        case "relu":
        case "sigmoid":
        case "tanh":
        case "clip":
        case "affine":
        case "truncate":
          return mayReorder(graph, output)
        case "quantize":
          return operation.grid.scale.data.length === 1 && mayReorder(graph, output)
        default:
          return false
      }
    })
}

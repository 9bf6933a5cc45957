/**
 * From a graph to a network of integers: weights and biases become integers, activations are rescaled from grid to grid, and the
 * bounds of every sum are known before anything runs.
 *
 * Room: exchange (level 5). Imports: `tensor`, `./Graph.ts`, `./IntegerBounds.ts`, `./IntegerGrid.ts`, `./IntegerOperations.ts`,
 * `./IntegerProgram.ts` types, `./IntegerThresholds.ts`. Laws: test/exchange/IntegerNetwork.test.ts.
 */
import { AccumulatorOverflow, NotExportable } from "../tensor/ExportErrors.ts"
import type * as Graph from "./Graph.ts"
import * as Bounds from "./IntegerBounds.ts"
import { meaningOf, refusal, target } from "./IntegerGrid.ts"
import * as Operations from "./IntegerOperations.ts"
import type * as Program from "./IntegerProgram.ts"
import * as Thresholds from "./IntegerThresholds.ts"

export interface Options {
  /** the input are whole numbers below this one; default: it is floats */
  readonly indices?: number
  /** signed bits of an accumulator; default: 32 */
  readonly accumulatorBits?: number
  /** what becomes of a bias off the grid of its layer's sums: refused, or put to the nearest integer; default: "refuse" */
  readonly biases?: "refuse" | "round"
}

/** A value that is no integers yet: what is done to the integers of another one. */
interface Pending {
  readonly source: string
  readonly stages: ReadonlyArray<Program.Stage>
}

/** What stands before the first quantizer: functions of single floats, and what only moves values, which comes after it as well. */
const beginningOf = (graph: Graph.Graph) => {
  const at = graph.nodes.findIndex(({ operation }) => operation.op === "quantize")
  const [node, prefix] = [graph.nodes[at], graph.nodes.slice(0, Math.max(at, 0))]
  const isChain = [...prefix, node].every(
    (one, i) => one?.inputs[0] === (i === 0 ? graph.input : (prefix[i - 1] as Graph.Node).output)
  )
  const before = prefix.flatMap(({ operation }) => (operation.op === "affine" ? [operation] : []))
  const moves = prefix.filter(({ operation }) => operation.op === "flatten")
  const grid = node?.operation.op === "quantize" ? node.operation.grid : undefined
  const isKnown = grid?.kind === "integer" || grid?.kind === "binary"
  if (node === undefined || !isKnown || !isChain || before.length + moves.length < prefix.length) {
    const first = graph.nodes[0]
    throw new NotExportable({
      target,
      layer: first?.layer ?? "",
      kind: first?.kind ?? "the model",
      reason: "its input is not quantized to integers; let it begin with a QuantIdentity or an inputQuant"
    })
  }
  const name = moves.length === 0 ? node.output : graph.input
  const steps = moves.map(
    (move, i): Program.Step => ({
      layer: move.layer,
      operation: { op: "flatten" },
      inputs: [i === 0 ? name : (moves[i - 1] as Graph.Node).output],
      output: i === moves.length - 1 ? node.output : move.output
    })
  )
  const done = before.map(({ factor, offset }) => ({ factor, offset }))
  return { node, grid, name, steps, before: done, rest: graph.nodes.slice(at + 1) }
}

/** What a network answers: the grid of its last integers, seen through what is done to them. */
const ending = (node: Graph.Node, meaning: Program.Meaning, stages: ReadonlyArray<Program.Stage>): Program.Meaning => {
  const all = Thresholds.joined([Thresholds.meant(meaning), ...stages])
  if (all === undefined) throw refusal(node, `${node.operation.op} has no integers; quantize what it answers`)
  const { factor, offset } = all
  if (![...factor, ...offset].every(Number.isFinite) || factor.includes(0))
    throw refusal(node, "a channel of its answer is constant, or not finite; train the network first")
  return { scale: factor, offset, zeroPoint: 0, low: meaning.low, high: meaning.high }
}

/** The network of a graph; throws what it refuses. */
export const networkOf = (graph: Graph.Graph, options: Options = {}): Program.IntegerNetwork => {
  const shapeOf = (name: string): ReadonlyArray<number> => graph.shapes[name] ?? []
  const { node: first, grid, name, steps: moves, before, rest } = beginningOf(graph)
  const start = meaningOf(first, grid, shapeOf(first.output).length)
  if (start.scale.length !== 1) throw refusal(first, "its input has a scale for each channel; quantize it per tensor")
  const meanings: Record<string, Program.Meaning> = { [name]: start, [first.output]: start }
  for (const { output } of moves) meanings[output] = start
  const pending: Record<string, Pending> = {}
  const steps: Array<Program.Step> = [...moves]
  const accumulators: Array<Program.Accumulator> = []
  const emit = (
    node: Graph.Node,
    inputs: ReadonlyArray<string>,
    { operation, meaning, accumulator }: Operations.Lowered
  ): void => {
    meanings[node.output] = meaning
    steps.push({ layer: node.layer, operation, inputs, output: node.output })
    const bits = accumulator?.bits ?? Bounds.signedBits(meaning)
    const available = accumulator === undefined ? 32 : Math.min(options.accumulatorBits ?? 32, 32)
    if (bits > available) throw new AccumulatorOverflow({ layer: node.layer, bits, available })
    if (accumulator !== undefined) accumulators.push(accumulator)
  }
  for (const node of rest) {
    const [input = ""] = node.inputs
    const { operation } = node
    const waiting = pending[input]
    const rank = shapeOf(node.output).length
    const source = waiting?.source ?? input
    const from = meanings[source]
    const stage = Thresholds.stageOf(operation)
    // a rectifier has integers of its own
    if (from !== undefined && stage !== undefined && (waiting !== undefined || operation.op !== "relu")) {
      pending[node.output] = { source, stages: [...(waiting?.stages ?? []), stage] }
      continue
    }
    if (waiting !== undefined && from !== undefined && operation.op === "quantize") {
      emit(node, [source], Operations.comparing(node, operation.grid, from, waiting.stages, rank))
      continue
    }
    const inputs = node.inputs.map((one) => {
      const meaning = meanings[one]
      if (meaning !== undefined) return meaning
      const maker = graph.nodes.find(({ output }) => output === one)
      const why =
        pending[one] === undefined || maker === undefined
          ? ""
          : `: what ${maker.layer || maker.kind} answers are floats; let a quantizer follow that`
      throw refusal(node, `its input is not quantized${why}`)
    })
    emit(node, node.inputs, Operations.lowered(node, inputs, rank, options.biases ?? "refuse"))
  }
  const last = pending[graph.output]
  const meaning =
    last === undefined
      ? (meanings[graph.output] as Program.Meaning)
      : ending(rest.at(-1) as Graph.Node, meanings[last.source] as Program.Meaning, last.stages)
  return {
    input: { name, shape: shapeOf(graph.input), grid, ...(before.length > 0 && { before }) },
    output: { name: last?.source ?? graph.output, shape: shapeOf(graph.output), ...meaning },
    steps,
    meanings,
    accumulators
  }
}

/**
 * Recurrent layers one upon the other, in one or both directions, through time.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `core`, `op`, `tensor`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Result } from "effect"
import * as QuantTensor from "../core/QuantTensor.ts"
import * as Linalg from "../op/Linalg.ts"
import type { QuantProxy } from "../proxy/QuantProxy.ts"
import { ShapeMismatch } from "../tensor/LayerErrors.ts"
import type * as Layer from "./Layer.ts"
import type { Direction, Memory } from "./RecurrentCell.ts"
import * as Gate from "./RecurrentGate.ts"
import * as Thread from "./Thread.ts"

// ---- model --------------------------------------------------------------------------------------------------

export interface Stack {
  readonly kind: string
  /** by layer, then by direction */
  readonly layers: ReadonlyArray<ReadonlyArray<Direction>>
  readonly inputSize: number
  readonly hiddenSize: number
  readonly batchFirst: boolean
  readonly returnQuantTensor: boolean
  /** of the input and of every hidden state */
  readonly ioQuant: QuantProxy | undefined
  /** whether there is a cell state beside the hidden one */
  readonly hasCell: boolean
}

/** A sequence, and the states to begin with, `[layers * directions, n, hidden]`; zeros where there are none. */
export interface Given {
  readonly input: Layer.Value
  readonly hidden?: Layer.Value | undefined
  readonly cell?: Layer.Value | undefined
}

export interface Answer {
  readonly output: Layer.Value
  readonly hidden: Layer.Value
  readonly cell: Layer.Value | undefined
}

const value = QuantTensor.dequantized

// ---- shapes -------------------------------------------------------------------------------------------------

const checkState = (self: Stack, name: "hidden" | "cell", state: Layer.Value | undefined, batch: number): void => {
  if (state === undefined) return
  const expected = [self.layers.flat().length, batch, self.hiddenSize]
  const actual = QuantTensor.shapeOf(state)
  if (!tf.util.arraysEqual([...actual], expected))
    throw new ShapeMismatch({ what: `the ${name} state of ${self.kind}`, expected: `[${expected.join(", ")}]`, actual })
}

const checked = (self: Stack, { input, hidden, cell }: Given): { readonly batch: number } => {
  const shape = QuantTensor.shapeOf(input)
  const [batch, steps] = (self.batchFirst ? shape : [shape[1], shape[0]]) as [number, number]
  if (shape.length !== 3 || shape[2] !== self.inputSize || steps === 0)
    throw new ShapeMismatch({
      what: `the input of ${self.kind}`,
      expected: `${self.batchFirst ? "[n, steps" : "[steps, n"}, ${self.inputSize}] with a step at least`,
      actual: shape
    })
  checkState(self, "hidden", hidden, batch)
  checkState(self, "cell", cell, batch)
  return { batch }
}

// ---- putting together ---------------------------------------------------------------------------------------

const thrown = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw result.failure
  return result.success
}

/**
 * While a quantizer still collects, every call of it has the scale of its own statistics: values that are put together take the mean,
 * so that they lie on one grid as they will when it has learned.
 */
const settled = (values: ReadonlyArray<Layer.Value>, mode: Layer.Mode): ReadonlyArray<Layer.Value> => {
  const all = values.filter(QuantTensor.isIntegral)
  if (!mode.training || all.length !== values.length || all.length < 2) return values
  const mean = (part: "scale" | "zeroPoint"): tf.Tensor =>
    tf.div(
      all.map((x) => x[part]).reduce((a, b) => tf.add(a, b)),
      all.length
    )
  const [scale, zeroPoint] = [mean("scale"), mean("zeroPoint")]
  return all.map((x) => ({ ...x, scale, zeroPoint }))
}

interface Joining {
  readonly axis: number
  readonly mode: Layer.Mode
  /** whether somebody needs the format */
  readonly quantized: boolean
}

const stacked = (values: ReadonlyArray<Layer.Value>, { axis, mode, quantized }: Joining): Layer.Value =>
  quantized ? thrown(QuantTensor.stack(settled(values, mode), axis)) : tf.stack(values.map(value), axis)

const joined = (values: ReadonlyArray<Layer.Value>, { axis, mode, quantized }: Joining): Layer.Value =>
  values.length === 1
    ? (values[0] as Layer.Value)
    : quantized
      ? thrown(QuantTensor.concat(settled(values, mode), axis))
      : tf.concat(values.map(value), axis)

// ---- through time -------------------------------------------------------------------------------------------

/** The tensors of all gates side by side, so that one product serves them all. */
const sideBySide = (tensors: ReadonlyArray<tf.Tensor>): tf.Tensor =>
  tensors.length === 1 ? (tensors[0] as tf.Tensor) : tf.concat([...tensors], -1)

interface Passed {
  /** in the order of time */
  readonly outputs: ReadonlyArray<Layer.Value>
  readonly last: Memory
}

/** A direction through all steps. The products of the input are one for all gates and steps, those of the state one for all gates. */
const passed = (
  self: Stack,
  direction: Direction,
  thread: Thread.Thread,
  input: Layer.Value,
  first: () => Memory,
  backwards: boolean
): Passed => {
  const gates = direction.gates.map((gate) => Gate.quantized(gate, thread, input))
  const memory = { now: first() }
  const biases = gates.flatMap(({ bias }) => (bias === undefined ? [] : [bias]))
  const products = Linalg.linear(
    value(input),
    sideBySide(gates.map(({ inputWeight }) => inputWeight)),
    biases.length === 0 ? undefined : sideBySide(biases)
  )
  const hiddenWeight = sideBySide(gates.map(({ hiddenWeight }) => hiddenWeight))
  const ofSteps = tf.unstack(products, self.batchFirst ? 1 : 0)
  const outputs: Array<Layer.Value> = []
  for (const ofInput of backwards ? ofSteps.toReversed() : ofSteps) {
    const sums = tf.add(ofInput, Linalg.matMul(value(memory.now.hidden), hiddenWeight))
    memory.now = direction.step(thread, gates.length === 1 ? [sums] : tf.split(sums, gates.length, 1), memory.now)
    outputs.push(memory.now.hidden)
  }
  return { outputs: backwards ? outputs.toReversed() : outputs, last: memory.now }
}

/** The state of one direction out of those of all, quantized; zeros where there are none. */
const stateAt = (
  thread: Thread.Thread,
  proxy: QuantProxy | undefined,
  given: Layer.Value | undefined,
  index: number,
  zeros: () => tf.Tensor
): Layer.Value =>
  given === undefined ? zeros() : Thread.activation(thread, proxy, tf.squeeze(tf.slice(value(given), index, 1), [0]))

/** The whole stack. */
export const apply = (self: Stack, thread: Thread.Thread, given: Given): Answer => {
  const { batch } = checked(self, given)
  const { mode } = thread
  const zeros = (): tf.Tensor => tf.zeros([batch, self.hiddenSize])
  const lasts: Array<Memory> = []
  const reached: { input: Layer.Value } = { input: given.input }
  for (const [l, directions] of self.layers.entries()) {
    // the biases of the next layer take the format of this one's output
    const quantized = self.returnQuantTensor || l < self.layers.length - 1
    const outputs = directions.map((direction, d) => {
      const input = l === 0 ? Thread.activation(thread, self.ioQuant, reached.input) : reached.input
      const index = lasts.length
      const first = (): Memory => ({
        hidden: stateAt(thread, self.ioQuant, given.hidden, index, zeros),
        ...(self.hasCell && { cell: stateAt(thread, direction.cellStateQuant, given.cell, index, zeros) })
      })
      const { outputs, last } = passed(self, direction, thread, input, first, d === 1)
      lasts.push(last)
      return stacked(outputs, { axis: self.batchFirst ? 1 : 0, mode, quantized })
    })
    reached.input = joined(outputs, { axis: 2, mode, quantized })
  }
  const states = { axis: 0, mode, quantized: self.returnQuantTensor }
  return {
    output: reached.input,
    hidden: stacked(
      lasts.map(({ hidden }) => hidden),
      states
    ),
    cell: self.hasCell
      ? stacked(
          lasts.map(({ cell }) => cell as Layer.Value),
          states
        )
      : undefined
  }
}

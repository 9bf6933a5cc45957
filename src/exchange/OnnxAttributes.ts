/**
 * What a node of an ONNX graph says of itself: its attributes, and the inputs that it has to have.
 *
 * Room: exchange (level 5). Imports: `./OnnxArrays.ts` and `./OnnxModel.ts` types. Laws: test/exchange/OnnxEvaluator.test.ts.
 */
import type { Values } from "./OnnxArrays.ts"
import type * as OnnxModel from "./OnnxModel.ts"

/** An input that a node leaves out is undefined. */
export type Inputs = ReadonlyArray<Values | undefined>

/** What an operator computes; throws where its inputs are not what it needs. */
export type Compute = (node: OnnxModel.Node, inputs: Inputs) => Values

const find = ({ attribute }: OnnxModel.Node, name: string): OnnxModel.Attribute | undefined =>
  attribute.find((one) => one.name === name)

export const int = (node: OnnxModel.Node, name: string, other: number): number => {
  const found = find(node, name)
  return found?.type === "int" ? found.i : other
}
export const float = (node: OnnxModel.Node, name: string, other: number): number => {
  const found = find(node, name)
  return found?.type === "float" ? found.f : other
}
export const text = (node: OnnxModel.Node, name: string): string => {
  const found = find(node, name)
  return found?.type === "string" ? found.s : ""
}
export const ints = (node: OnnxModel.Node, name: string): ReadonlyArray<number> | undefined => {
  const found = find(node, name)
  return found?.type === "ints" ? found.ints : undefined
}

/** An input that has to be there, and the one number of an input. */
export const given = (node: OnnxModel.Node, inputs: Inputs, at: number): Values => {
  const value = inputs[at]
  if (value === undefined) throw new Error(`${node.opType} "${node.name}" lacks input ${at + 1}`)
  return value
}
export const number = (node: OnnxModel.Node, inputs: Inputs, at: number): number =>
  given(node, inputs, at).data[0] as number

/**
 * ONNX models to bytes and back.
 *
 * Room: exchange (level 5). Imports: effect, `tensor`, `./OnnxModel.ts`, `./OnnxSchema.ts`, `./Protobuf.ts`.
 * Laws: test/exchange/OnnxProto.test.ts.
 */
import { Effect } from "effect"
import { MalformedFile } from "../tensor/FileErrors.ts"
import * as OnnxModel from "./OnnxModel.ts"
import { attributeTypes } from "./OnnxSchema.ts"
import * as Protobuf from "./Protobuf.ts"

type Message = Protobuf.Message

// ---- writing ------------------------------------------------------------------------------------------------

const attribute = (one: OnnxModel.Attribute): Message => {
  const { name } = one
  const type = attributeTypes[one.type]
  switch (one.type) {
    case "int":
      return { name, type, i: one.i }
    case "float":
      return { name, type, f: one.f }
    case "string":
      return { name, type, s: new TextEncoder().encode(one.s) }
    case "ints":
      return { name, type, ints: one.ints }
  }
}

const node = ({ name, opType, domain, input, output, attribute: attributes }: OnnxModel.Node): Message => ({
  name,
  opType,
  ...(domain !== "" && { domain }),
  input,
  output,
  attribute: attributes.map(attribute)
})

const tensor = ({ name, dims, dataType, rawData }: OnnxModel.Tensor): Message => ({
  name,
  dims,
  dataType: OnnxModel.dataTypes[dataType],
  rawData
})

const valueInfo = ({ name, dataType, shape }: OnnxModel.ValueInfo): Message => ({
  name,
  type: {
    tensorType: {
      elemType: OnnxModel.dataTypes[dataType],
      shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) }
    }
  }
})

/** The bytes of a model: the same model gives the same bytes. */
export const encode = ({ irVersion, producerName, opsetImport, graph, metadataProps }: OnnxModel.Model): Uint8Array =>
  Protobuf.encode("ModelProto", {
    irVersion,
    producerName,
    opsetImport: opsetImport.map(({ domain, version }) => ({ domain, version })),
    graph: {
      name: graph.name,
      node: graph.node.map(node),
      initializer: graph.initializer.map(tensor),
      input: graph.input.map(valueInfo),
      output: graph.output.map(valueInfo)
    },
    metadataProps: metadataProps.map(({ key, value }) => ({ key, value }))
  })

// ---- reading ------------------------------------------------------------------------------------------------

const all = (message: Message, field: string): ReadonlyArray<Message> =>
  (message[field] ?? []) as ReadonlyArray<Message>
const one = (message: Message, field: string): Message => (message[field] ?? {}) as Message
const text = (message: Message, field: string): string => (message[field] ?? "") as string
const number = (message: Message, field: string): number => (message[field] ?? 0) as number
const texts = (message: Message, field: string): ReadonlyArray<string> =>
  (message[field] ?? []) as unknown as ReadonlyArray<string>
const numbers = (message: Message, field: string): ReadonlyArray<number> =>
  (message[field] ?? []) as unknown as ReadonlyArray<number>

/** What is not understood is thrown, and becomes the reason of a `MalformedFile`. */
const refuse = (reason: string): never => {
  throw new Error(reason)
}

const typeOf = (code: number): OnnxModel.DataType =>
  (Object.entries(OnnxModel.dataTypes).find(([, known]) => known === code)?.[0] ??
    refuse(`has a tensor of the element type ${code}`)) as OnnxModel.DataType

const readAttribute = (message: Message): OnnxModel.Attribute => {
  const name = text(message, "name")
  switch (number(message, "type")) {
    case attributeTypes.int:
      return { name, type: "int", i: number(message, "i") }
    case attributeTypes.float:
      return { name, type: "float", f: number(message, "f") }
    case attributeTypes.string:
      return { name, type: "string", s: new TextDecoder().decode((message.s ?? new Uint8Array()) as Uint8Array) }
    case attributeTypes.ints:
      return { name, type: "ints", ints: numbers(message, "ints") }
    default:
      return refuse(`has an attribute "${name}" of the type ${number(message, "type")}`)
  }
}

const readTensor = (message: Message): OnnxModel.Tensor => ({
  name: text(message, "name"),
  dims: numbers(message, "dims"),
  dataType: typeOf(number(message, "dataType")),
  rawData: (message.rawData ?? new Uint8Array()) as Uint8Array
})

const readValueInfo = (message: Message): OnnxModel.ValueInfo => {
  const tensorType = one(one(message, "type"), "tensorType")
  return {
    name: text(message, "name"),
    dataType: typeOf(number(tensorType, "elemType")),
    shape: all(one(tensorType, "shape"), "dim").map((dim) => (dim.dimValue ?? text(dim, "dimParam")) as number | string)
  }
}

const readModel = (message: Message): OnnxModel.Model => {
  const graph = one(message, "graph")
  return {
    irVersion: number(message, "irVersion"),
    producerName: text(message, "producerName"),
    opsetImport: all(message, "opsetImport").map((opset) => ({
      domain: text(opset, "domain"),
      version: number(opset, "version")
    })),
    graph: {
      name: text(graph, "name"),
      node: all(graph, "node").map((node) => ({
        name: text(node, "name"),
        opType: text(node, "opType"),
        domain: text(node, "domain"),
        input: texts(node, "input"),
        output: texts(node, "output"),
        attribute: all(node, "attribute").map(readAttribute)
      })),
      initializer: all(graph, "initializer").map(readTensor),
      input: all(graph, "input").map(readValueInfo),
      output: all(graph, "output").map(readValueInfo)
    },
    metadataProps: all(message, "metadataProps").map((entry) => ({
      key: text(entry, "key"),
      value: text(entry, "value")
    }))
  }
}

/**
 * The model of bytes that `encode` wrote, or of others that keep to its messages; a MalformedFile where they do not.
 *
 * - errors: MalformedFile, which names the file
 */
export const decode = (bytes: Uint8Array, file = "the ONNX model"): Effect.Effect<OnnxModel.Model, MalformedFile> =>
  Effect.try({
    try: () => readModel(Protobuf.decode("ModelProto", bytes)),
    catch: (cause) =>
      new MalformedFile({
        file,
        reason: `is no ONNX model, or has parts that are not read here: ${cause instanceof Error ? cause.message : cause}`
      })
  })

/**
 * Protocol buffers by a schema that is data: messages to bytes and back. No code is generated, so that it runs where a page forbids
 * that.
 *
 * Room: exchange (level 5). Imports: protobufjs, `./OnnxSchema.ts`. Laws: test/exchange/OnnxProto.test.ts.
 */
import protobuf from "protobufjs/minimal.js"
import { type Field, type Kind, type MessageName, messages } from "./OnnxSchema.ts"

/** A message: its fields by name; those that are repeated as arrays. */
export interface Message {
  readonly [field: string]: Content | ReadonlyArray<Content> | undefined
}
type Content = number | string | Uint8Array | Message

const wireTypes: Readonly<Record<string, number>> = { int64: 0, float: 5, string: 2, bytes: 2 }
const wireTypeOf = (kind: Kind): number => wireTypes[kind] ?? 2
const tagOf = ({ id, kind }: Field): number => id * 8 + wireTypeOf(kind)

// ---- writing ------------------------------------------------------------------------------------------------

const put = (writer: protobuf.Writer, field: Field, content: Content): protobuf.Writer => {
  writer.uint32(tagOf(field))
  switch (field.kind) {
    case "int64":
      return writer.int64(content as number)
    case "float":
      return writer.float(content as number)
    case "string":
      return writer.string(content as string)
    case "bytes":
      return writer.bytes(content as Uint8Array)
    default:
      return written(field.kind, content as Message, writer.fork()).ldelim()
  }
}

const isMany = (content: Message[string]): content is ReadonlyArray<Content> => Array.isArray(content)

/** Fields in the order of the schema, so that the same message gives the same bytes. */
const written = (name: MessageName, message: Message, writer: protobuf.Writer): protobuf.Writer => {
  for (const [key, field] of Object.entries(messages[name])) {
    const content = message[key]
    if (content === undefined) continue
    for (const one of isMany(content) ? content : [content]) put(writer, field, one)
  }
  return writer
}

/** The bytes of a message. */
export const encode = (name: MessageName, message: Message): Uint8Array =>
  Uint8Array.from(written(name, message, protobuf.Writer.create()).finish())

// ---- reading ------------------------------------------------------------------------------------------------

const wholeOf = (read: number | { toString(): string }): number => Number(read.toString())

const get = (reader: protobuf.Reader, { kind }: Field): Content => {
  switch (kind) {
    case "int64":
      return wholeOf(reader.int64())
    case "float":
      return reader.float()
    case "string":
      return reader.string()
    case "bytes":
      return Uint8Array.from(reader.bytes())
    default:
      return read(kind, reader, reader.uint32() + reader.pos)
  }
}

/** Numbers that share one tag. */
const packed = (reader: protobuf.Reader, field: Field): ReadonlyArray<Content> => {
  const end = reader.uint32() + reader.pos
  const all: Array<Content> = []
  while (reader.pos < end) all.push(get(reader, field))
  return all
}

const read = (name: MessageName, reader: protobuf.Reader, end: number): Message => {
  const fields = new Map(Object.entries(messages[name]).map(([key, field]) => [field.id, [key, field] as const]))
  const message: Record<string, Content | ReadonlyArray<Content>> = {}
  while (reader.pos < end) {
    const tag = reader.uint32()
    const found = fields.get(tag >>> 3)
    if (found === undefined) {
      reader.skipType(tag & 7)
      continue
    }
    const [key, field] = found
    const isPacked = (tag & 7) === 2 && wireTypeOf(field.kind) !== 2
    if (!isPacked && (tag & 7) !== wireTypeOf(field.kind))
      throw new RangeError(`${name}.${key} has the wire type ${tag & 7}`)
    const contents = isPacked ? packed(reader, field) : [get(reader, field)]
    message[key] =
      field.rule === undefined
        ? (contents.at(-1) as Content)
        : [...((message[key] ?? []) as ReadonlyArray<Content>), ...contents]
  }
  return message
}

/** The message of bytes; fields that the schema does not have are skipped. Throws what the reader finds wrong with the bytes. */
export const decode = (name: MessageName, bytes: Uint8Array): Message => {
  const reader = protobuf.Reader.create(bytes)
  return read(name, reader, bytes.length)
}

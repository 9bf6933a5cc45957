/**
 * Checkpoints as archives: named tensors and texts, as a safetensors file holds them.
 *
 * Tensors are named `parameters/NAME`, `memory/NAME` and `optimizer/SLOT/NAME`; numbers and the position are JSON in one text.
 *
 * Room: train (level 5). Imports: effect, `tensor`, `./Checkpoint.ts`. Laws: test/train/Checkpoint.test.ts.
 */
import { Result } from "effect"
import { InvalidCheckpoint } from "../tensor/StateErrors.ts"
import type * as Stored from "../tensor/Stored.ts"
import type { Checkpoint, Position, Slot } from "./Checkpoint.ts"

/** The name of the text that holds what is not a tensor. */
const textName = "breve.checkpoint"
const version = 1

type Fields = Readonly<Record<string, unknown>>

// ---- writing ------------------------------------------------------------------------------------------------

const prefixed = <A>(prefix: string, record: Readonly<Record<string, A>>): ReadonlyArray<readonly [string, A]> =>
  Object.entries(record).map(([name, value]) => [`${prefix}/${name}`, value] as const)

const isStored = (entry: readonly [string, Stored.Stored | number]): entry is readonly [string, Stored.Stored] =>
  typeof entry[1] !== "number"

/** A number as a text that gives the same number again: JSON has no NaN, no infinity and no -0. */
const written = (x: number): string => (Object.is(x, -0) ? "-0" : String(x))

/**
 * A checkpoint as named tensors and texts.
 *
 * @category archives
 * @since 0.3.0
 */
export const encode = ({ parameters, memory, optimizer, position }: Checkpoint): Stored.Archive => {
  const slots = Object.entries(optimizer.slots)
  const counters = Object.entries(memory).flatMap(([name, leaf]) =>
    typeof leaf === "number" ? [[name, written(leaf)] as const] : []
  )
  const tensors = Object.fromEntries([
    ...prefixed("parameters", parameters),
    ...prefixed("memory", memory).filter(isStored),
    ...slots.flatMap(([name, slot]) =>
      Object.entries(slot.tensors).map(([kind, stored]) => [`optimizer/${kind}/${name}`, stored] as const)
    )
  ])
  const text = {
    version,
    tensors: Object.keys(tensors).length,
    memory: Object.fromEntries(counters),
    optimizer: {
      kind: optimizer.kind,
      steps: optimizer.steps,
      slots: Object.fromEntries(slots.map(([name, slot]) => [name, slot.steps]))
    },
    position: { ...position, loss: written(position.loss), random: position.random.state }
  }
  return { tensors, metadata: { [textName]: JSON.stringify(text) } }
}

// ---- reading ------------------------------------------------------------------------------------------------

const invalid = (part: string, reason: string): Result.Result<never, InvalidCheckpoint> =>
  Result.fail(new InvalidCheckpoint({ part, reason }))

const isFields = (u: unknown): u is Fields => typeof u === "object" && u !== null && !Array.isArray(u)
const isCount = (u: unknown): u is number => Number.isSafeInteger(u) && (u as number) >= 0
const isWord = (u: unknown): u is number => Number.isInteger(u) && (u as number) === ((u as number) | 0)
const areAll = <A>(fields: Fields, is: (u: unknown) => u is A): fields is Readonly<Record<string, A>> =>
  Object.values(fields).every(is)
const isNumberText = (u: unknown): u is string => typeof u === "string" && u !== "" && written(Number(u)) === u

const parsed = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

const positionOf = (u: unknown): Position | undefined => {
  if (!isFields(u) || !Array.isArray(u.random)) return undefined
  const { epoch, batch, samples, loss } = u
  if (!isCount(epoch) || !isCount(batch) || !isCount(samples) || !isNumberText(loss)) return undefined
  const [a, b, c, d, ...more] = u.random as ReadonlyArray<unknown>
  return isWord(a) && isWord(b) && isWord(c) && isWord(d) && more.length === 0
    ? { epoch, batch, samples, loss: Number(loss), random: { state: [a, b, c, d] } }
    : undefined
}

/** The tensors below a prefix, without it. */
const below = (prefix: string, tensors: Stored.Tensors): Stored.Tensors =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, stored]) =>
      name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), stored] as const] : []
    )
  )

/** Slots by parameter; a tensor whose parameter has no count of steps has no place. */
const slotsOf = (
  steps: Readonly<Record<string, number>>,
  tensors: Stored.Tensors
): Readonly<Record<string, Slot>> | undefined => {
  const slots = new Map(
    Object.entries(steps).map(([name, count]) => [name, { steps: count, tensors: {} as Record<string, Stored.Stored> }])
  )
  for (const [path, stored] of Object.entries(tensors)) {
    const at = path.indexOf("/")
    const slot = slots.get(path.slice(at + 1))
    if (at < 0 || slot === undefined) return undefined
    slot.tensors[path.slice(0, at)] = stored
  }
  return Object.fromEntries(slots)
}

/**
 * The checkpoint of an archive. One that is not a checkpoint's, or lacks some of it, is a typed failure.
 *
 * - errors: InvalidCheckpoint, which names the part
 *
 * @category archives
 * @since 0.3.0
 */
export const decode = ({ tensors, metadata }: Stored.Archive): Result.Result<Checkpoint, InvalidCheckpoint> => {
  const text = parsed(metadata[textName])
  if (metadata[textName] === undefined) return invalid("text", `"${textName}" is missing: this is another kind of file`)
  if (!isFields(text)) return invalid("text", `"${textName}" is not JSON`)
  if (text.version !== version) return invalid("version", `is ${String(text.version)}; only ${version} is read`)
  const position = positionOf(text.position)
  if (position === undefined) return invalid("position", "is not one")
  const { memory, optimizer } = text
  if (!isFields(memory) || !areAll(memory, isNumberText)) return invalid("memory", "has something that is no number")
  if (!isFields(optimizer) || typeof optimizer.kind !== "string" || !isCount(optimizer.steps))
    return invalid("optimiser", "has no kind or no count of steps")
  const steps = optimizer.slots
  if (!isFields(steps) || !areAll(steps, isCount)) return invalid("slots of the optimiser", "have no counts of steps")
  const slots = slotsOf(steps, below("optimizer", tensors))
  if (slots === undefined) return invalid("slots of the optimiser", "have a tensor that belongs to no parameter")
  const found = Object.keys(tensors).length
  if (found !== text.tensors) return invalid("tensors", `are ${found} where ${String(text.tensors)} were written`)
  const numbers = Object.entries(memory).map(([name, x]) => [name, Number(x)] as const)
  return Result.succeed({
    parameters: below("parameters", tensors),
    memory: { ...below("memory", tensors), ...Object.fromEntries(numbers) },
    optimizer: { kind: optimizer.kind, steps: optimizer.steps, slots },
    position
  })
}

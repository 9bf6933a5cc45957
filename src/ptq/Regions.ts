/**
 * Regions of a model: layers whose channels share a factor. A channel that one layer makes larger must be made smaller by all that
 * read it, wherever it runs through: rectifiers, pools, residual additions, concatenations.
 *
 * Every channel of every value gets a number; values of which one follows from the other, channel by channel, get the same numbers.
 *
 * Room: ptq (level 5). Imports: tfjs types, `nn`, `proxy` types, `./Channels.ts`. Laws: test/ptq/Equalize.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Call, Run } from "../nn/Calls.ts"
import type * as Layer from "../nn/Layer.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as Channels from "./Channels.ts"

/** Numbers of channels, in the order of the channels. */
type Numbers = ReadonlyArray<number>

/** A layer with a weight, and the numbers of its channels; where a factor is not allowed, the number is -1. */
export interface Part {
  readonly name: string
  readonly layer: Layer.Layer
  readonly own: Cell.Cell
  readonly form: Channels.Channelled
  /** none: it takes over no factor of its inputs */
  readonly inputs: Numbers | undefined
  readonly outputs: Numbers
}

/** A layer without a weight, through which a factor does not pass, and the numbers of its output's channels. */
export interface Act {
  readonly name: string
  readonly outputs: Numbers
}

/** Layers whose channels hang together. */
export interface Region {
  readonly sources: ReadonlyArray<Part>
  readonly sinks: ReadonlyArray<Part>
  /** sources after which a scale has to be inserted */
  readonly acts: ReadonlyArray<Act>
  /** the numbers of the channels that sources and sinks of this region share */
  readonly channels: Numbers
}

/** How the channels of a model hang together, or the layer whose input nobody knows. */
export type Found = { readonly regions: ReadonlyArray<Region> } | { readonly unknown: string }

// ---- numbers that stand for each other ----------------------------------------------------------------------

/** Numbers, of which some are the same. */
interface Classes {
  readonly parents: Array<number>
  readonly fixed: Set<number>
}

const fresh = ({ parents }: Classes, count: number): Numbers =>
  Array.from({ length: count }, () => parents.push(parents.length) - 1)

const rootOf = ({ parents }: Classes, number: number): number => {
  let at = number
  while (parents[at] !== at) {
    parents[at] = parents[parents[at] as number] as number
    at = parents[at] as number
  }
  return at
}

const unite = (classes: Classes, a: number, b: number): void => {
  const [p, q] = [rootOf(classes, a), rootOf(classes, b)]
  classes.parents[Math.max(p, q)] = Math.min(p, q)
}

const uniteAll = (classes: Classes, a: Numbers, b: Numbers): void => {
  for (const [i, number] of a.entries()) unite(classes, number, b[i % b.length] as number)
}

const fix = ({ fixed }: Classes, numbers: Numbers): void => {
  for (const number of numbers) fixed.add(number)
}

// ---- through a model ----------------------------------------------------------------------------------------

/** The cell of a layer's own parameters, if it has one. */
export const ownOf = (layer: Layer.Layer): Cell.Cell | undefined =>
  "own" in layer ? (layer as unknown as { readonly own: Cell.Cell }).own : undefined

const weightOf = ({ states }: Call, own: Cell.Cell): tf.Tensor | undefined =>
  states.get(own)?.parameters.weight as tf.Tensor | undefined

interface Walk {
  readonly classes: Classes
  /** the numbers of the channels of each value, which are its last axis */
  readonly values: Map<tf.Tensor, Numbers>
  readonly parts: Map<Cell.Cell, Part>
  readonly acts: Map<string, Act>
}

const lastOf = (x: tf.Tensor): number => x.shape.at(-1) ?? 1

/** A layer with a weight: what is called again has the same channels again. */
const throughPart = (walk: Walk, call: Call, form: Channels.Channelled, own: Cell.Cell, x: Numbers): Numbers => {
  const { classes, parts } = walk
  const known = parts.get(own)
  const weight = weightOf(call, own) as tf.Tensor
  const takes = Channels.takesInputs(form)
  if (!takes) fix(classes, x)
  const part = known ?? {
    name: call.path,
    layer: call.layer,
    own,
    form,
    inputs: takes ? x : undefined,
    outputs: fresh(classes, Channels.outputsOf(form, weight.shape).count)
  }
  if (known?.inputs !== undefined) uniteAll(classes, known.inputs, x)
  parts.set(own, part)
  return part.outputs
}

const throughAct = ({ classes, acts }: Walk, { path, outputs }: Call, x: Numbers): Numbers => {
  fix(classes, x)
  const act = acts.get(path) ?? { name: path, outputs: fresh(classes, lastOf(outputs[0] as tf.Tensor)) }
  acts.set(path, act)
  return act.outputs
}

/** The numbers of what a layer answers, if its channels follow from those of its inputs. */
const answered = (walk: Walk, call: Call, inputs: ReadonlyArray<Numbers>, withActs: boolean): Numbers | undefined => {
  const { form } = call.layer
  const [x, y] = inputs
  if (form === undefined || x === undefined || call.outputs.length !== 1) return undefined
  const own = ownOf(call.layer)
  if (Channels.isChannelled(form) && own !== undefined && weightOf(call, own) !== undefined)
    return throughPart(walk, call, form, own, x)
  switch (form.op) {
    case "identity":
    case "relu":
    case "maxPool":
    case "averagePool":
      return x
    case "flatten": {
      const all = lastOf(call.outputs[0] as tf.Tensor)
      return Array.from({ length: all }, (_, i) => x[i % x.length] as number)
    }
    case "add": {
      if (y === undefined) return undefined
      const [more, fewer] = x.length < y.length ? [y, x] : [x, y]
      uniteAll(walk.classes, more, fewer)
      return more
    }
    case "concat": {
      const rank = call.inputs[0]?.rank ?? 0
      if (form.axis === -1 || form.axis === rank - 1) return inputs.flat()
      for (const other of inputs.slice(1)) uniteAll(walk.classes, x, other)
      return x
    }
    case "sigmoid":
    case "tanh":
    case "hardTanh":
      return withActs ? throughAct(walk, call, x) : undefined
    default:
      return undefined
  }
}

/** Walks through the calls in order; answers the layer whose input was made between layers. */
const walked = (walk: Walk, { calls, outputs }: Run, withActs: boolean): string | undefined => {
  const { classes, values } = walk
  for (const call of calls) {
    const inputs = call.inputs.map((x) => values.get(x))
    const known = inputs.filter((numbers) => numbers !== undefined)
    if (known.length < inputs.length) return call.path
    const answer = answered(walk, call, known, withActs)
    if (answer === undefined) for (const numbers of known) fix(classes, numbers)
    for (const y of call.outputs) {
      const numbers = answer ?? fresh(classes, lastOf(y))
      if (answer === undefined) fix(classes, numbers)
      values.set(y, numbers)
    }
  }
  const last = outputs.map((y) => values.get(y))
  for (const numbers of last) fix(classes, numbers ?? [])
  return last.includes(undefined) ? "" : undefined
}

// ---- regions ------------------------------------------------------------------------------------------------

/** One side of a layer: what its outputs are, or what reads them. */
interface Side {
  readonly numbers: Numbers
  readonly source?: Part
  readonly sink?: Part
  readonly act?: Act
}

/** The groups of sides that share channels, in the order of their first source. */
const groupsOf = (sides: ReadonlyArray<Side>, free: ReadonlySet<number>): ReadonlyArray<ReadonlyArray<Side>> => {
  const joint: Classes = { parents: [], fixed: new Set() }
  const ids = fresh(joint, sides.length)
  const first = new Map<number, number>()
  for (const [id, { numbers }] of sides.entries())
    for (const number of numbers)
      if (free.has(number)) {
        const other = first.get(number)
        if (other === undefined) first.set(number, id)
        else unite(joint, id, other)
      }
  const used = ids.filter((id) => (sides[id] as Side).numbers.some((number) => free.has(number)))
  const roots = [...new Set(used.map((id) => rootOf(joint, id)))]
  return roots.map((root) => used.filter((id) => rootOf(joint, id) === root).map((id) => sides[id] as Side))
}

const some = <A>(items: ReadonlyArray<A | undefined>): ReadonlyArray<A> => items.filter((item) => item !== undefined)

/**
 * The regions of a model that ran once, and whose inputs were these.
 *
 * - formula:  the classes of channels under: the same value, an answer that follows channel by channel, an addition; a class counts if
 *   something makes its channels, something reads them, and nothing else does
 * - shapes:   none
 * - gradient: none
 * - errors:   answers the layer whose input is computed between layers
 * - source:   Brevitas, graph/equalize.py (_extract_regions: by layers, where this goes by channels)
 *
 * @category regions
 * @since 0.4.0
 */
export const of = (run: Run, inputs: ReadonlyArray<tf.Tensor>, options: { readonly acts?: boolean } = {}): Found => {
  const classes: Classes = { parents: [], fixed: new Set() }
  const walk: Walk = { classes, values: new Map(), parts: new Map(), acts: new Map() }
  for (const x of inputs) {
    const numbers = fresh(classes, lastOf(x))
    fix(classes, numbers)
    walk.values.set(x, numbers)
  }
  const unknown = walked(walk, run, options.acts === true)
  if (unknown !== undefined) return { unknown }
  const roots = classes.parents.map((_, number) => rootOf(classes, number))
  const closed = new Set([...classes.fixed].map((number) => roots[number] as number))
  const settled = (numbers: Numbers): Numbers =>
    numbers.map((number) => roots[number] as number).map((root) => (closed.has(root) ? -1 : root))
  const parts = [...walk.parts.values()].map((part) => ({
    ...part,
    inputs: part.inputs && settled(part.inputs),
    outputs: settled(part.outputs)
  }))
  const acts = [...walk.acts.values()].map((act) => ({ ...act, outputs: settled(act.outputs) }))
  // numbers are given out in the order of the walk
  const made = [...walk.parts.values(), ...walk.acts.values()]
  const begins = new Map(made.map(({ name, outputs }) => [name, outputs[0] ?? 0]))
  const placeOf = ({ source, act }: Side): number => begins.get((source ?? act)?.name ?? "") ?? 0
  const unordered: ReadonlyArray<Side> = [
    ...parts.map((source) => ({ numbers: source.outputs, source })),
    ...acts.map((act) => ({ numbers: act.outputs, act }))
  ]
  const sources = unordered.toSorted((a, b) => placeOf(a) - placeOf(b))
  const sinks: ReadonlyArray<Side> = parts.flatMap((sink) => (sink.inputs ? [{ numbers: sink.inputs, sink }] : []))
  const [written, read] = [sources, sinks].map((sides) => new Set(sides.flatMap(({ numbers }) => numbers)))
  const free = new Set([...(written ?? [])].filter((number) => number >= 0 && read?.has(number)))
  const regions = groupsOf([...sources, ...sinks], free).map((group) => ({
    sources: some(group.map(({ source }) => source)),
    sinks: some(group.map(({ sink }) => sink)),
    acts: some(group.map(({ act }) => act)),
    channels: [...new Set(group.flatMap(({ numbers }) => numbers.filter((number) => free.has(number))))]
  }))
  return { regions }
}

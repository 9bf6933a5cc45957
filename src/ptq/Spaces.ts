/**
 * Spaces of a model: values whose channels may all be rotated together, since nothing looks at a channel alone between the layers that
 * make them and those that read them. Residual streams are the large ones.
 *
 * Room: ptq (level 5). Imports: tfjs types, `nn`, `proxy` types, `./Channels.ts`, `./Regions.ts`, `./SplitMath.ts`.
 * Laws: test/ptq/Rotation.test.ts.
 */
import type * as tf from "@tensorflow/tfjs-core"
import type { Call, Run } from "../nn/Calls.ts"
import type * as Cell from "../proxy/Cell.ts"
import * as Channels from "./Channels.ts"
import { ownOf } from "./Regions.ts"
import * as SplitMath from "./SplitMath.ts"

/** A layer that makes or reads the values of a space. */
export interface Part {
  readonly name: string
  readonly own: Cell.Cell
  readonly form: Channels.Channelled
}

/** Values whose channels may be rotated together, by the layers that make and that read them. */
export interface Space {
  readonly channels: number
  readonly sources: ReadonlyArray<Part>
  readonly sinks: ReadonlyArray<Part>
}

/** The spaces of a model, or the layer whose input nobody knows. */
export type Found = { readonly spaces: ReadonlyArray<Space> } | { readonly unknown: string }

/** Sets of values, as they are joined. */
interface Group {
  readonly values: Set<tf.Tensor>
  readonly sources: Map<Cell.Cell, Part>
  readonly sinks: Map<Cell.Cell, Part>
  isFixed: boolean
}

interface Walk {
  readonly groups: Map<tf.Tensor, Group>
  readonly all: Set<Group>
}

const make = ({ groups, all }: Walk, x: tf.Tensor, isFixed: boolean): Group => {
  const group: Group = { values: new Set([x]), sources: new Map(), sinks: new Map(), isFixed }
  groups.set(x, group)
  all.add(group)
  return group
}

/** Makes two groups one. */
const join = ({ groups, all }: Walk, a: Group, b: Group): Group => {
  if (a === b) return a
  for (const x of b.values) {
    a.values.add(x)
    groups.set(x, a)
  }
  for (const [own, part] of b.sources) a.sources.set(own, part)
  for (const [own, part] of b.sinks) a.sinks.set(own, part)
  a.isFixed ||= b.isFixed
  all.delete(b)
  return a
}

const partOf = ({ layer, path, states }: Call): Part | undefined => {
  const own = ownOf(layer)
  const weight = own && (states.get(own)?.parameters.weight as tf.Tensor | undefined)
  if (own === undefined || weight === undefined || !Channels.isChannelled(layer.form)) return undefined
  return SplitMath.axesOf(layer.form, weight.shape) && { name: path, own, form: layer.form }
}

/** Whether what a layer does is the same in any rotated coordinates. */
const isInvariant = ({ layer, states, inputs }: Call): boolean => {
  const { form } = layer
  switch (form?.op) {
    case "identity":
    case "averagePool":
      return true
    case "add":
      return inputs.every(({ shape }) => shape.at(-1) === inputs[0]?.shape.at(-1))
    case "concat":
      return form.axis !== -1 && form.axis !== (inputs[0]?.rank ?? 0) - 1
    case "layerNorm": {
      const own = ownOf(layer)
      const weight = own && (states.get(own)?.parameters.weight as tf.Tensor | undefined)
      return !form.centered && weight?.dataSync().every((w) => w === 1) === true
    }
    default:
      return false
  }
}

/** Looks at one call: joins what it leaves as it is, fixes what it looks into. */
const step = (walk: Walk, call: Call, inputs: ReadonlyArray<Group>, makers: Map<Cell.Cell, tf.Tensor>): void => {
  const [y] = call.outputs
  const part = partOf(call)
  if (part !== undefined && y !== undefined && call.outputs.length === 1) {
    for (const group of inputs) group.sinks.set(part.own, part)
    const made = make(walk, y, false)
    made.sources.set(part.own, part)
    const before = makers.get(part.own)
    if (before !== undefined) join(walk, walk.groups.get(before) as Group, made)
    else makers.set(part.own, y)
    return
  }
  const passes = isInvariant(call) && call.outputs.length === 1
  if (!passes) for (const group of inputs) group.isFixed = true
  for (const value of call.outputs) {
    const made = make(walk, value, !passes)
    if (passes) call.inputs.reduce((joined, x) => join(walk, walk.groups.get(x) as Group, joined), made)
  }
}

/** Joins the spaces that a layer reads which is called several times. */
const joinReaders = (walk: Walk): void => {
  const owns = new Set([...walk.all].flatMap(({ sinks }) => [...sinks.keys()]))
  for (const own of owns) {
    const [first, ...others] = [...walk.all].filter(({ sinks }) => sinks.has(own))
    if (first !== undefined) for (const other of others) join(walk, first, other)
  }
}

/**
 * The spaces of a model that ran once with this input.
 *
 * - formula:  values that an identity, an average pool, an addition or an `RMSNorm` without scale connects
 * - shapes:   none
 * - gradient: none
 * - errors:   answers the layer whose input is computed between layers
 * - source:   Ashkboos et al. 2024, arXiv:2404.00456 (computational invariance)
 *
 * @category rotations
 * @since 0.4.0
 */
export const of = ({ calls, outputs }: Run, input: tf.Tensor): Found => {
  const walk: Walk = { groups: new Map(), all: new Set() }
  const makers = new Map<Cell.Cell, tf.Tensor>()
  make(walk, input, true)
  for (const call of calls) {
    const inputs = call.inputs.map((x) => walk.groups.get(x))
    const known = inputs.filter((group) => group !== undefined)
    if (known.length < inputs.length) return { unknown: call.path }
    step(walk, call, known, makers)
  }
  for (const y of outputs) {
    const group = walk.groups.get(y)
    if (group === undefined) return { unknown: "" }
    group.isFixed = true
  }
  joinReaders(walk)
  const spaces = [...walk.all].flatMap(({ values, sources, sinks, isFixed }) => {
    const channels = [...values][0]?.shape.at(-1) ?? 0
    return isFixed || sources.size === 0 || sinks.size === 0
      ? []
      : [{ channels, sources: [...sources.values()], sinks: [...sinks.values()] }]
  })
  return { spaces }
}

/**
 * The slots of one injector in one resolution, where a resolution stands in them, and the errors that say so.
 *
 * Room: inject (level 1). Imports: the errors of `tensor`, `./Plan.ts`, `./Binding.ts`.
 */
import { nearest } from "../tensor/Nearest.ts"
import { CircularDependency, MissingDependency } from "../tensor/WiringErrors.ts"
import type { Spec } from "./Binding.ts"
import { type Compiled, compile, type Plan, type Source } from "./Plan.ts"

/** The slots of one injector in one resolution. */
export interface Frame {
  readonly compiled: Compiled
  readonly slots: Array<unknown>
  /** what was not in the injector but given when the resolution started */
  readonly given: Readonly<Record<string, unknown>>
  readonly prefix: string
  readonly up: Frame | undefined
  readonly below: Map<number, Frame>
  /** what value functions and branches turned out to be */
  readonly turnedOut: Map<number, Spec>
}

/** Where the run is: for the paths of errors. */
export interface Place {
  readonly frame: Frame
  readonly plan: Plan
  readonly step: number
  readonly asker: Place | undefined
}

// ---- frames -------------------------------------------------------------------------------------------------

const nothing: Readonly<Record<string, unknown>> = Object.freeze({})

const frameOf = (compiled: Compiled, prefix: string, up: Frame | undefined, given = nothing): Frame => ({
  compiled,
  slots: compiled.template.slice(),
  given,
  prefix,
  up,
  below: new Map(),
  turnedOut: new Map()
})

export const rootFrame = (source: Source, given: Readonly<Record<string, unknown>>): Frame => {
  const inputs = Object.keys(given)
  const compiled = compile(source, inputs)
  const frame = frameOf(
    compiled,
    "",
    source.parent === undefined ? undefined : rootFrame(source.parent, nothing),
    given
  )
  for (const name of inputs) frame.slots[compiled.slotOf.get(name) as number] = given[name]
  return frame
}

export const nestedFrame = (frame: Frame, slot: number, source: Source): Frame => {
  const known = frame.below.get(slot)
  if (known !== undefined) return known
  const made = frameOf(compile(source), `${frame.prefix}${frame.compiled.names[slot]}.`, frame)
  frame.below.set(slot, made)
  return made
}

/** The injector of a frame, knowing what it is nested in. */
export const enclosed = (source: Source, frame: Frame): Source =>
  Object.freeze(Object.assign(Object.create(Object.getPrototypeOf(source)), source, { parent: sourceOf(frame) }))
const sourceOf = (frame: Frame): Source => {
  const { source } = frame.compiled
  const own = Object.keys(frame.given).length === 0 ? source : withGiven(source, frame.given)
  return frame.up === undefined ? own : enclosed(own, frame.up)
}
const withGiven = (source: Source, given: Readonly<Record<string, unknown>>): Source =>
  Object.freeze(
    Object.assign(Object.create(Object.getPrototypeOf(source)), source, {
      table: Object.freeze({ ...source.table, ...given })
    })
  )

// ---- errors -------------------------------------------------------------------------------------------------

export const pathOf = (place: Place | undefined): ReadonlyArray<string> => {
  if (place === undefined) return []
  const own: Array<string> = []
  for (let i = place.step; i !== -1; i = place.plan.askers[i] as number)
    own.unshift(place.frame.prefix + place.frame.compiled.names[place.plan.slots[i] as number])
  return [...pathOf(place.asker), ...own]
}

/** A circle through a value function is noticed up to one lap late: the path ends at its first repetition. */
const oneLap = (path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = path.findIndex((name, i) => path.indexOf(name) < i)
  return end === -1 ? path : path.slice(0, end + 1)
}

export const injectorName = (frame: Frame): string => frame.compiled.source.name || "(anonymous injector)"

export const missing = (frame: Frame, attribute: string, path: ReadonlyArray<string>): MissingDependency =>
  new MissingDependency({
    injector: injectorName(frame),
    attribute,
    path,
    nearest: nearest(attribute, frame.compiled.names)
  })
export const circular = (frame: Frame, path: ReadonlyArray<string>): CircularDependency =>
  new CircularDependency({ injector: injectorName(frame), path: oneLap(path) })

/** What attribute `name` became. */
export const contentOf = (frame: Frame, name: string): unknown => frame.slots[frame.compiled.slotOf.get(name) as number]

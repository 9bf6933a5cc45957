/**
 * One resolution: runs plans over a fresh set of slots; each attribute is built at most once, only what is looked at is built.
 *
 * A plain loop while everything is synchronous. An effectful constructor suspends it; afterwards the plan is entered again
 * and the filled slots are skipped. The slots are the one mutable thing here, and no one else sees them.
 *
 * Room: inject (level 1). Imports: effect, the errors of `tensor`, `./Frame.ts`, `./Plan.ts`, `./Binding.ts`. Laws: laws/InjectorLaws.ts.
 */
import { Context, Effect, Option, Scope } from "effect"
import { nearest } from "../tensor/Nearest.ts"
import {
  CircularDependency,
  ConstructionFailed,
  InvalidDependency,
  MissingDependency,
  type ResolutionError
} from "../tensor/WiringErrors.ts"
import { isBinding, type Spec, specOfBinding } from "./Binding.ts"
import {
  circular,
  enclosed,
  type Frame,
  injectorName,
  missing,
  nestedFrame,
  type Place,
  pathOf,
  rootFrame
} from "./Frame.ts"
import { type Plan, type Source, UNSET } from "./Plan.ts"

const BUSY: unique symbol = Symbol("busy")
interface Suspension {
  readonly effect: Effect.Effect<unknown, unknown, unknown>
  readonly frame: Frame
  readonly slot: number
  /** what is being built: only what a value function answers is wired further */
  readonly spec: Spec
}

interface Run {
  readonly root: Frame
  readonly scope: Scope.Scope | undefined
  releases: Array<() => void>
  suspended: Suspension | undefined
}

// ---- the loop -----------------------------------------------------------------------------------------------

/** true: done; false: suspended. Failures are thrown here and become typed failures in `drive`. */
const execute = (run: Run, frame: Frame, plan: Plan, asker: Place | undefined): boolean => {
  if (plan.problem !== undefined) {
    const path = [...pathOf(asker), ...plan.problem.path.map((name) => frame.prefix + name)]
    throw plan.problem.kind === "missing" ? missing(frame, plan.problem.name, path) : circular(frame, path)
  }
  for (let step = 0; step < plan.slots.length; step++) {
    const slot = plan.slots[step] as number
    const content = frame.slots[slot]
    if (content === BUSY) throw circular(frame, pathOf({ frame, plan, step, asker }))
    if (content === UNSET && !fill(run, frame, slot, { frame, plan, step, asker })) return false
  }
  return true
}

const fill = (run: Run, frame: Frame, slot: number, place: Place): boolean => {
  const turnedOut = frame.turnedOut.get(slot)
  if (turnedOut !== undefined) return become(run, frame, slot, turnedOut, place)
  const spec = frame.compiled.specs[slot] as Spec
  if (spec.kind === "link" || spec.kind === "nested") return become(run, frame, slot, spec, place)
  return call(run, frame, slot, spec, frame.compiled.argumentSlots[slot] as ReadonlyArray<number>, place)
}

const call = (
  run: Run,
  frame: Frame,
  slot: number,
  spec: Spec,
  argumentSlots: ReadonlyArray<number>,
  place: Place
): boolean => {
  const args: Array<unknown> = []
  for (let i = 0; i < argumentSlots.length; i++) {
    const argument = argumentSlots[i] as number
    args.push(argument >= 0 ? frame.slots[argument] : spec.defaults[i]?.value)
  }
  if (spec.kind === "choose") return settle(run, frame, slot, caseOf(spec, args[0], frame, place), place)
  const built = construct(spec, args, frame, slot, place)
  if (spec.mode === "effect") {
    run.suspended = { effect: built as Effect.Effect<unknown, unknown, unknown>, frame, slot, spec }
    return false
  }
  if (spec.mode === "scoped") {
    run.releases.push(() => spec.release?.(built))
    if (run.scope === undefined)
      throw new Error(
        `${injectorName(frame)} built "${frame.prefix}${frame.compiled.names[slot]}" outside of a Scope: it could never be released; run the resolution in Effect.scoped`
      )
  }
  return spec.kind === "component" ? keep(frame, slot, built) : settle(run, frame, slot, built, place)
}

const construct = (spec: Spec, args: ReadonlyArray<unknown>, frame: Frame, slot: number, place: Place): unknown => {
  try {
    return spec.call(args)
  } catch (cause) {
    throw new ConstructionFailed({
      injector: injectorName(frame),
      attribute: frame.prefix + frame.compiled.names[slot],
      path: pathOf(place),
      cause
    })
  }
}

const caseOf = (spec: Spec, flag: unknown, frame: Frame, place: Place): unknown => {
  const cases = spec.cases ?? {}
  const name = String(flag)
  if (Object.hasOwn(cases, name)) return cases[name]
  const near = nearest(name, Object.keys(cases))
  throw new InvalidDependency({
    injector: injectorName(frame),
    attribute: frame.prefix + spec.names[0],
    path: pathOf(place),
    reason: `no case for "${name}" among ${Object.keys(cases).join(", ")}${near === undefined ? "" : `; did you mean "${near}"?`}`
  })
}

const keep = (frame: Frame, slot: number, built: unknown): true => {
  frame.slots[slot] = built
  return true
}

/** A value function or a branch answered: a plain value, or something to wire. */
const settle = (run: Run, frame: Frame, slot: number, answer: unknown, place: Place): boolean => {
  if (!isBinding(answer)) return keep(frame, slot, answer)
  const spec = specOfBinding(answer)
  frame.turnedOut.set(slot, spec)
  return become(run, frame, slot, spec, place)
}

/** Fills a slot from a description met on the way, in the same frame. */
const become = (run: Run, frame: Frame, slot: number, spec: Spec, place: Place): boolean => {
  if (spec.kind === "constant") return keep(frame, slot, spec.value)
  if (spec.kind === "nested") return keep(frame, slot, enclosed(spec.value as Source, frame))
  frame.slots[slot] = BUSY
  if (spec.kind === "link") {
    const target = follow(run, frame, spec.path ?? [], place)
    frame.slots[slot] = UNSET
    return target === undefined ? false : keep(frame, slot, target.content)
  }
  const { plan, slots } = frame.compiled.planOfReturned(spec)
  const done = execute(run, frame, plan, place)
  frame.slots[slot] = UNSET
  return done && call(run, frame, slot, spec, slots, place)
}

/** Walks a link: up, into nested injectors, to an attribute, then along fields of what it becomes. undefined: suspended. */
const follow = (
  run: Run,
  from: Frame,
  path: ReadonlyArray<string | number>,
  place: Place
): { readonly content: unknown } | undefined => {
  let frame = from
  let i = 0
  const invalid = (reason: string): InvalidDependency =>
    new InvalidDependency({ injector: injectorName(frame), attribute: path.join("."), path: pathOf(place), reason })
  for (; path[i] === "^"; i++) {
    if (frame.up === undefined) throw invalid("the link goes up more levels than the injector has")
    frame = frame.up
  }
  for (; i < path.length - 1; i++) {
    const slot = frame.compiled.slotOf.get(String(path[i]))
    const spec = slot === undefined ? undefined : frame.compiled.specs[slot]
    if (slot === undefined || spec?.kind !== "nested") break
    frame = nestedFrame(frame, slot, spec.value as Source)
  }
  if (path[i] === undefined) throw invalid("the link names no attribute")
  const name = String(path[i])
  const slot = frame.compiled.slotOf.get(name)
  if (slot === undefined) throw missing(frame, name, pathOf(place))
  if (frame.slots[slot] === BUSY) throw circular(frame, [...pathOf(place), frame.prefix + name])
  if (frame.slots[slot] === UNSET && !execute(run, frame, frame.compiled.planOf(slot), place)) return undefined
  let content = frame.slots[slot]
  for (const field of path.slice(i + 1)) {
    if (content === null || content === undefined || !(field in Object(content)))
      throw invalid(`"${field}" is not a field of what "${name}" became`)
    content = (content as Record<string | number, unknown>)[field]
  }
  return { content }
}

// ---- as an Effect -------------------------------------------------------------------------------------------

const isResolutionError = (u: unknown): u is ResolutionError =>
  u instanceof MissingDependency ||
  u instanceof CircularDependency ||
  u instanceof ConstructionFailed ||
  u instanceof InvalidDependency

/** Last built, first released; one that throws does not keep the others from being released. */
const releaseInTurn = (releases: Array<() => void>): void => {
  const release = releases.pop()
  if (release === undefined) return
  try {
    release()
  } finally {
    releaseInTurn(releases)
  }
}

/** Runs until done or suspended; whatever was built is registered for release before anything can interrupt. */
const drive = <A>(
  run: Run,
  plans: ReadonlyArray<Plan>,
  done: (root: Frame) => A
): Effect.Effect<A, unknown, unknown> => {
  const stretch = Effect.suspend((): Effect.Effect<A, unknown, unknown> => {
    try {
      for (const plan of plans) if (!execute(run, run.root, plan, undefined)) return resume(run, plans, done)
      return Effect.succeed(done(run.root))
    } catch (failure) {
      return isResolutionError(failure) ? Effect.fail(failure) : Effect.die(failure)
    }
  })
  const releases: Array<() => void> = []
  run.releases = releases
  const releaseAll = Effect.sync(() => releaseInTurn(releases))
  return run.scope === undefined
    ? Effect.onError(stretch, () => releaseAll)
    : Effect.andThen(Scope.addFinalizer(run.scope, releaseAll), stretch)
}

const resume = <A>(
  run: Run,
  plans: ReadonlyArray<Plan>,
  done: (root: Frame) => A
): Effect.Effect<A, unknown, unknown> => {
  const { effect, frame, slot, spec } = run.suspended as Suspension
  return Effect.flatMap(effect, (built) => {
    if (isBinding(built) && spec.kind !== "component") frame.turnedOut.set(slot, specOfBinding(built))
    else frame.slots[slot] = built
    return drive(run, plans, done)
  })
}

/** Resolves `names` in one resolution and answers with what `done` reads off the filled slots. */
export const resolution = <A>(
  source: Source,
  names: ReadonlyArray<string>,
  given: Readonly<Record<string, unknown>>,
  done: (root: Frame) => A
): Effect.Effect<A, unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const scope = Option.getOrUndefined(Context.getOption(fiber.context as Context.Context<Scope.Scope>, Scope.Scope))
    const root = rootFrame(source, given)
    const plans: Array<Plan> = []
    for (const name of names) {
      const slot = root.compiled.slotOf.get(name)
      if (slot === undefined) return Effect.fail(missing(root, name, []))
      plans.push(root.compiled.planOf(slot))
    }
    return drive({ root, scope, releases: [], suspended: undefined }, plans, done)
  })

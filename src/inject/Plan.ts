/**
 * An injector compiled for resolution: a slot for each name, constants filled in, and for each name the order in which to build.
 *
 * Static dependencies are known from the declarations, so a resolution is a loop over slots; only links into other levels and
 * what value functions return is followed while it runs. Injectors are immutable: they are compiled once, in a WeakMap.
 *
 * Room: inject (level 1). Imports: `./Binding.ts`.
 */
import { constantSpec, isBinding, type Spec, specOfBinding } from "./Binding.ts"

export const InjectorId = "~breve/inject/Injector"

/** What the resolution sees of an injector. */
export interface Source {
  readonly [InjectorId]: true
  readonly name: string
  readonly table: Readonly<Record<string, unknown>>
  readonly parent: Source | undefined
}
export const isSource = (u: unknown): u is Source => u !== null && typeof u === "object" && InjectorId in u

/** The description of whatever stands behind a name. */
export const specOf = (attribute: unknown): Spec =>
  isBinding(attribute)
    ? specOfBinding(attribute)
    : isSource(attribute)
      ? { ...constantSpec(attribute), kind: "nested", label: `injector ${attribute.name}` }
      : constantSpec(attribute)

/** Marks a slot that nothing has filled yet. */
export const UNSET: unique symbol = Symbol("unset")

export type Problem =
  | { readonly kind: "missing"; readonly name: string; readonly path: ReadonlyArray<string> }
  | { readonly kind: "circular"; readonly path: ReadonlyArray<string> }

/** The slots to build, dependencies first. */
export interface Plan {
  readonly slots: ReadonlyArray<number>
  /** for each step, the step that asked for it; -1 is the request itself */
  readonly askers: ReadonlyArray<number>
  /** what can be known before anything is built */
  readonly problem: Problem | undefined
}

export interface Compiled {
  readonly source: Source
  readonly names: ReadonlyArray<string>
  readonly slotOf: ReadonlyMap<string, number>
  /** what was declared */
  readonly declared: ReadonlyArray<Spec>
  /** what is built: a branch whose flag is a constant is the case that it takes */
  readonly specs: ReadonlyArray<Spec>
  /** for each slot the slots of its arguments; -1: absent */
  readonly argumentSlots: ReadonlyArray<ReadonlyArray<number>>
  /** the slots at the start of a resolution: constants filled in */
  readonly template: ReadonlyArray<unknown>
  readonly planOf: (slot: number) => Plan
  /** the plan of a binding that a value function returned, and the slots of its arguments */
  readonly planOfReturned: (spec: Spec) => { readonly plan: Plan; readonly slots: ReadonlyArray<number> }
}

const memoized = <K, A>(cache: { get(k: K): A | undefined; set(k: K, a: A): unknown }, make: (k: K) => A) => {
  return (k: K): A => {
    const known = cache.get(k)
    if (known !== undefined) return known
    const made = make(k)
    cache.set(k, made)
    return made
  }
}

const build = (source: Source, inputs: ReadonlyArray<string>): Compiled => {
  const given = new Set(inputs)
  const names = [...Object.keys(source.table), ...inputs.filter((name) => !Object.hasOwn(source.table, name))]
  const slotOf = new Map(names.map((name, slot) => [name, slot]))
  const declared = names.map((name) => (given.has(name) ? constantSpec(UNSET) : specOf(source.table[name])))
  const specs = decided(declared, slotOf)
  const slotsFor = (spec: Spec): ReadonlyArray<number> => spec.names.map((name) => slotOf.get(name) ?? -1)
  const argumentSlots = specs.map(slotsFor)
  const order = planner(names, specs, argumentSlots)
  return {
    source,
    names,
    slotOf,
    declared,
    specs,
    argumentSlots,
    template: specs.map((spec) => (spec.kind === "constant" ? spec.value : UNSET)),
    planOf: memoized(new Map<number, Plan>(), (slot) => order([slot], undefined)),
    planOfReturned: memoized(new WeakMap<Spec, { plan: Plan; slots: ReadonlyArray<number> }>(), (spec) => {
      const slots = slotsFor(spec)
      const absent = spec.names.find((_, i) => slots[i] === -1 && spec.defaults[i] === undefined)
      return {
        slots,
        plan: order(
          slots.filter((slot) => slot >= 0),
          absent
        )
      }
    })
  }
}

/** Every branch whose flag is a constant, by way of links and of other branches too, replaced by the case that it takes. */
const decided = (declared: ReadonlyArray<Spec>, slotOf: ReadonlyMap<string, number>): ReadonlyArray<Spec> => {
  const known = new Map<Spec, Spec>()
  const decide = (spec: Spec): Spec => {
    if (spec.kind !== "choose") return spec
    const before = known.get(spec)
    if (before !== undefined) return before
    // until it is known: a branch that decides about itself stays open
    known.set(spec, spec)
    const flag = slotOf.get(spec.names[0] as string)
    const { kind, value } = flag === undefined ? spec : aliased(flag)
    const open = kind !== "constant" || value === UNSET || !Object.hasOwn(spec.cases ?? {}, String(value))
    const picked = open ? spec : ofCase(spec.cases?.[String(value)], spec)
    known.set(spec, picked)
    return picked
  }
  const aliased = (slot: number, links = declared.length): Spec => {
    const spec = decide(declared[slot] as Spec)
    const to = spec.kind === "link" && spec.path?.length === 1 ? slotOf.get(spec.names[0] as string) : undefined
    return to === undefined || links === 0 ? spec : aliased(to, links - 1)
  }
  const ofCase = (picked: unknown, { names }: Spec): Spec =>
    // a plain value still tells which flag it comes from
    isBinding(picked) ? decide(specOfBinding(picked)) : { ...constantSpec(picked), names }
  return declared.map(decide)
}

/** Depth-first, arguments in their order, each slot once; the first problem met is kept. */
const planner =
  (names: ReadonlyArray<string>, specs: ReadonlyArray<Spec>, argumentSlots: ReadonlyArray<ReadonlyArray<number>>) =>
  (roots: ReadonlyArray<number>, absent: string | undefined): Plan => {
    const slots: Array<number> = []
    const askerOf = new Map<number, number>()
    const state = new Map<number, "open" | "done">()
    let problem: Problem | undefined
    const pathTo = (slot: number): ReadonlyArray<string> =>
      slot === -1 ? [] : [...pathTo(askerOf.get(slot) ?? -1), names[slot] as string]
    const visit = (slot: number, asker: number): void => {
      const seen = state.get(slot)
      const spec = specs[slot] as Spec
      if (seen === "open") problem ??= { kind: "circular", path: [...pathTo(asker), names[slot] as string] }
      if (seen !== undefined || spec.kind === "constant") return
      askerOf.set(slot, asker)
      state.set(slot, "open")
      argumentSlots[slot]?.forEach((argument, i) => {
        if (argument >= 0) visit(argument, slot)
        else if (spec.defaults[i] === undefined)
          problem ??= { kind: "missing", name: spec.names[i] as string, path: pathTo(slot) }
      })
      state.set(slot, "done")
      slots.push(slot)
    }
    for (const root of roots) visit(root, -1)
    if (absent !== undefined) problem ??= { kind: "missing", name: absent, path: [] }
    const stepOf = new Map(slots.map((slot, step) => [slot, step]))
    return { slots, askers: slots.map((slot) => stepOf.get(askerOf.get(slot) ?? -1) ?? -1), problem }
  }

const compiledWith = memoized(new WeakMap<Source, (inputs: string) => Compiled>(), (source) =>
  memoized(new Map<string, Compiled>(), (inputs) => build(source, inputs === "" ? [] : inputs.split("\n")))
)

/** The compiled form of an injector whose `inputs` are given when the resolution starts. */
export const compile = (source: Source, inputs: ReadonlyArray<string> = []): Compiled =>
  compiledWith(source)(inputs.length === 0 ? "" : inputs.join("\n"))

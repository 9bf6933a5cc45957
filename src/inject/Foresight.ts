/**
 * What a resolution would find, as far as the declaration tells: nothing is built.
 *
 * Room: inject (level 1). Imports: its own room.
 */
import { isBinding, type Spec, specOfBinding } from "./Binding.ts"
import { type Source, specOf } from "./Plan.ts"
import { linked, type Place } from "./Wiring.ts"

/**
 * What an attribute would become: a `constant` is known; something `built` comes from the constructor `label`, which looks at
 * `names`; what is `open` depends on something that is missing, built, or only computed with effects; `circular` never ends.
 */
export type Foreseen =
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "built"; readonly label: string; readonly names: ReadonlyArray<string> }
  | { readonly kind: "open" | "missing" | "circular" }

const missing: Foreseen = { kind: "missing" }
const open: Foreseen = { kind: "open" }

const ancestors = (source: Source): ReadonlyArray<Source> =>
  source.parent === undefined ? [] : [...ancestors(source.parent), source.parent]

/**
 * What each attribute that a resolution of `roots` looks at would become, by name. Functions of plain values are run, as a
 * resolution would; links are followed; of a branch only the case that is taken. Absent names with a default are left out.
 */
export const foresee = (source: Source, roots: ReadonlyArray<string>): Readonly<Record<string, Foreseen>> => {
  const known = new Map<Source, Map<string, Foreseen>>()
  const attribute = (place: Place): Foreseen => {
    const { source: here, name } = place
    const found = known.get(here) ?? new Map<string, Foreseen>()
    known.set(here, found)
    const before = found.get(name)
    if (before !== undefined) return before
    if (!Object.hasOwn(here.table, name)) {
      found.set(name, missing)
      return missing
    }
    // until it is known: whoever asks for it meanwhile is asked for by it
    found.set(name, { kind: "circular" })
    const outcome = of(specOf(here.table[name]), place)
    found.set(name, outcome)
    return outcome
  }
  const dependency = (spec: Spec, i: number, place: Place): Foreseen => {
    const name = spec.names[i] as string
    const fallback = spec.defaults[i]
    return fallback !== undefined && !Object.hasOwn(place.source.table, name)
      ? { kind: "constant", value: fallback.value }
      : attribute({ ...place, name })
  }
  const answered = (answer: unknown, place: Place): Foreseen =>
    isBinding(answer) ? of(specOfBinding(answer), place) : { kind: "constant", value: answer }
  const of = (spec: Spec, place: Place): Foreseen => {
    switch (spec.kind) {
      case "constant":
      case "nested":
        return { kind: "constant", value: spec.value }
      case "link": {
        const to = linked(spec.path, place.source, place.enclosing)
        if (to !== undefined) {
          const found = attribute(to)
          return found.kind === "missing" ? open : found
        }
        const [head] = spec.path ?? []
        if (typeof head === "string" && head !== "^") attribute({ ...place, name: head })
        return open
      }
      case "choose": {
        const flag = dependency(spec, 0, place)
        const cases = spec.cases ?? {}
        if (flag.kind !== "constant") return flag.kind === "circular" ? flag : open
        const name = String(flag.value)
        return Object.hasOwn(cases, name) ? answered(cases[name], place) : open
      }
      default: {
        const given = spec.names.map((_, i) => dependency(spec, i, place))
        const circle = given.find(({ kind }) => kind === "circular")
        if (circle !== undefined) return circle
        if (spec.kind === "component") return { kind: "built", label: spec.label, names: spec.names }
        const values = given.flatMap((each) => (each.kind === "constant" ? [each.value] : []))
        return spec.mode === "sync" && values.length === given.length ? computed(spec, values, place) : open
      }
    }
  }
  const computed = (spec: Spec, values: ReadonlyArray<unknown>, place: Place): Foreseen => {
    try {
      return answered(spec.call(values), place)
    } catch {
      // the resolution will say so, with its path
      return open
    }
  }
  for (const name of roots) attribute({ source, name, enclosing: ancestors(source) })
  return Object.fromEntries(known.get(source) ?? [])
}

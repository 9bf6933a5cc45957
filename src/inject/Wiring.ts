/**
 * What can be known of an injector's wiring without building anything: which attribute looks at which name, and why.
 *
 * Room: inject (level 1). Imports: its own room.
 */
import { isBinding, type Spec, specOfBinding } from "./Binding.ts"
import { isSource, type Source, specOf } from "./Plan.ts"

/** `needs`: must be there; `default`: may be absent; `link`: follows; `may`: only if a branch picks it. */
export interface Wire {
  readonly to: string
  readonly kind: "needs" | "default" | "link" | "may"
}

/** An attribute and where it is. */
export interface Place {
  readonly source: Source
  readonly name: string
  readonly enclosing: ReadonlyArray<Source>
}

/** The attribute that a link stands for; undefined if it is a field of one, or leads out of what is known. */
export const linked = (
  path: Spec["path"],
  source: Source,
  enclosing: ReadonlyArray<Source> = []
): Place | undefined => {
  const [head, ...rest] = path ?? []
  if (head === undefined) return undefined
  if (head === "^") {
    const up = enclosing.at(-1)
    return up === undefined ? undefined : linked(rest, up, enclosing.slice(0, -1))
  }
  if (rest.length === 0) return { source, name: String(head), enclosing }
  const inner = source.table[head]
  return isSource(inner) ? linked(rest, inner, [...enclosing, source]) : undefined
}

/** What selects the case of a branch, where the declaration says so outright or by links. */
const selected = (branch: Spec, source: Source): { readonly value: unknown } | undefined => {
  const walk = ({ source: from, name, enclosing }: Place, steps: number): { readonly value: unknown } | undefined => {
    if (!Object.hasOwn(from.table, name) || steps === 0) return undefined
    const flag = specOf(from.table[name])
    if (flag.kind === "constant") return { value: flag.value }
    const to = flag.kind === "link" ? linked(flag.path, from, enclosing) : undefined
    return to === undefined ? undefined : walk(to, steps - 1)
  }
  // links may go round in a ring
  return walk({ source, name: branch.names[0] ?? "", enclosing: [] }, 32)
}

/** The case that is certainly picked: its name, and whether there is such a case; undefined if that is not certain. */
const picked = (branch: Spec, source: Source): { readonly name: string; readonly known: boolean } | undefined => {
  const flag = selected(branch, source)
  if (flag === undefined) return undefined
  const name = String(flag.value)
  return { name, known: Object.hasOwn(branch.cases ?? {}, name) }
}

const wiresOfSpec = (spec: Spec, may: boolean, source: Source | undefined): ReadonlyArray<Wire> => {
  const kind = (i: number): Wire["kind"] => (spec.defaults[i] !== undefined ? "default" : may ? "may" : "needs")
  if (spec.kind === "link") return [{ to: (spec.path ?? []).join("."), kind: may ? "may" : "link" }]
  const own = spec.names.map((to, i): Wire => ({ to, kind: kind(i) }))
  if (spec.kind !== "choose") return own
  const cases = spec.cases ?? {}
  const pick = source === undefined ? undefined : picked(spec, source)
  const branches = (pick === undefined ? Object.values(cases) : [cases[pick.name]]).filter(isBinding)
  const unsure = may || pick === undefined
  return [...own, ...branches.flatMap((branch) => wiresOfSpec(specOfBinding(branch), unsure, source))]
}

/** The names that the attribute `name` looks at, as far as its declaration tells; a branch whose flag is plain is followed alone. */
export const wiresOf = (source: Source, name: string): ReadonlyArray<Wire> =>
  wiresOfSpec(specOf(source.table[name]), false, source)

/** The names that the attribute `name` could look at, whichever branches are taken. */
export const wiresOfAllBranches = (source: Source, name: string): ReadonlyArray<Wire> =>
  wiresOfSpec(specOf(source.table[name]), false, undefined)

/** A branch whose selecting attribute `on` names none of its cases. */
export interface NoCase {
  readonly on: string
  readonly wanted: string
  readonly cases: ReadonlyArray<string>
}

/** What stands behind `name` after the branches that are certainly taken, and which attributes select them. */
export const taken = (
  source: Source,
  name: string
): { readonly attribute: unknown; readonly by: ReadonlyArray<string>; readonly stray: NoCase | undefined } => {
  const walk = (attribute: unknown, by: ReadonlyArray<string>): ReturnType<typeof taken> => {
    const spec = isBinding(attribute) ? specOfBinding(attribute) : undefined
    const pick = spec?.kind === "choose" ? picked(spec, source) : undefined
    if (spec === undefined || pick === undefined) return { attribute, by, stray: undefined }
    const on = spec.names[0] ?? ""
    const cases = spec.cases ?? {}
    return pick.known
      ? walk(cases[pick.name], [...by, on])
      : { attribute, by, stray: { on, wanted: pick.name, cases: Object.keys(cases) } }
  }
  return walk(source.table[name], [])
}

/** The injector and the name that a dotted name leads to: nested injectors downwards, "^" upwards; fields are cut off. */
export const locate = (source: Source, dotted: string, enclosing: ReadonlyArray<Source>): Place | undefined => {
  const cut = dotted.indexOf(".")
  const head = cut === -1 ? dotted : dotted.slice(0, cut)
  const rest = cut === -1 ? "" : dotted.slice(cut + 1)
  if (head === "^") {
    const up = enclosing.at(-1)
    return up === undefined ? undefined : locate(up, rest, enclosing.slice(0, -1))
  }
  const attribute = source.table[head]
  return isSource(attribute) && rest !== ""
    ? locate(attribute, rest, [...enclosing, source])
    : { source, name: head, enclosing }
}

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

/** What the attribute that selects a branch is, where the declaration says so outright. */
const selected = (spec: Spec, source: Source): { readonly value: unknown } | undefined => {
  const flag = source.table[spec.names[0] ?? ""]
  return flag === undefined || isBinding(flag) || isSource(flag) ? undefined : { value: flag }
}

const wiresOfSpec = (spec: Spec, may: boolean, source: Source): ReadonlyArray<Wire> => {
  const kind = (i: number): Wire["kind"] => (spec.defaults[i] !== undefined ? "default" : may ? "may" : "needs")
  if (spec.kind === "link") return [{ to: (spec.path ?? []).join("."), kind: may ? "may" : "link" }]
  const own = spec.names.map((to, i): Wire => ({ to, kind: kind(i) }))
  if (spec.kind !== "choose") return own
  const cases = spec.cases ?? {}
  const flag = selected(spec, source)
  const branches = (flag === undefined ? Object.values(cases) : [cases[String(flag.value)]]).filter(isBinding)
  const unsure = may || flag === undefined
  return [...own, ...branches.flatMap((branch) => wiresOfSpec(specOfBinding(branch), unsure, source))]
}

/** The names that the attribute `name` looks at, as far as its declaration tells. */
export const wiresOf = (source: Source, name: string): ReadonlyArray<Wire> =>
  wiresOfSpec(specOf(source.table[name]), false, source)

/** The injector and the name that a dotted name leads to: nested injectors downwards, "^" upwards; fields are cut off. */
export const locate = (
  source: Source,
  dotted: string,
  enclosing: ReadonlyArray<Source>
): { readonly source: Source; readonly name: string; readonly enclosing: ReadonlyArray<Source> } | undefined => {
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

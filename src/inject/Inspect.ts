/**
 * Looking into an injector: what is wrong with it, its wiring as a diagram, and what one real resolution did.
 *
 * Room: inject (level 1). Imports: effect, the errors of `tensor`, its own room.
 */
import type { Effect } from "effect"
import { nearest } from "../tensor/Nearest.ts"
import type { ResolutionError } from "../tensor/WiringErrors.ts"
import type { Spec } from "./Binding.ts"
import type { Frame } from "./Frame.ts"
import { isSource, type Source, specOf, UNSET } from "./Plan.ts"
import { resolution } from "./Resolution.ts"
import { headOf, show } from "./Show.ts"
import { originOf } from "./Tree.ts"
import { locate, taken, type Wire, wiresOf, wiresOfAllBranches } from "./Wiring.ts"

type Layered = Parameters<typeof originOf>[0]

/** One thing that is wrong, or may be; `certain` is false when only an open branch leads there. */
export interface Finding {
  readonly kind: "missing" | "circular" | "unused" | "invalid"
  readonly name: string
  readonly path: ReadonlyArray<string>
  readonly certain: boolean
  readonly message: string
}

// ---- diagnose -----------------------------------------------------------------------------------------------

interface Walk {
  readonly source: Source
  readonly name: string
  readonly enclosing: ReadonlyArray<Source>
  readonly prefix: string
  readonly path: ReadonlyArray<string>
  readonly certain: boolean
}

const prefixOf = (to: string, prefix: string): string => {
  const parts = to.split(".")
  const ups = parts.filter((part) => part === "^").length
  const kept = prefix === "" ? [] : prefix.split(".").slice(0, -1)
  const down = parts.slice(ups, -1)
  return [...kept.slice(0, Math.max(0, kept.length - ups)), ...down].map((part) => `${part}.`).join("")
}

const findingsFrom = (start: Walk): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const seen = new Set<string>()
  const go = ({ source, name, enclosing, prefix, path, certain }: Walk): void => {
    const here = prefix + name
    if (path.includes(here)) {
      const circle = [...path.slice(path.indexOf(here)), here]
      findings.push({
        kind: "circular",
        name: here,
        path: circle,
        certain,
        message: `circular dependency: ${circle.join(" > ")}`
      })
      return
    }
    if (!Object.hasOwn(source.table, name)) {
      const near = nearest(name, Object.keys(source.table))
      const message = `"${here}" is missing, needed by ${path.join(" > ")}${near === undefined ? "" : `; did you mean "${near}"?`}`
      findings.push({ kind: "missing", name: here, path, certain, message })
      return
    }
    const visit = certain ? here : `${here}?`
    if (seen.has(here) || seen.has(visit)) return
    const { stray } = taken(source, name)
    if (stray !== undefined) {
      const near = nearest(stray.wanted, stray.cases)
      const message = `"${here}" has no case for ${prefix}${stray.on} = "${stray.wanted}" among ${stray.cases.join(", ")}${near === undefined ? "" : `; did you mean "${near}"?`}`
      findings.push({ kind: "invalid", name: here, path: [...path, here], certain, message })
    }
    for (const wire of wiresOf(source, name))
      step({ source, name, enclosing, prefix, path: [...path, here], certain }, wire)
    seen.add(visit)
  }
  const step = (from: Walk, wire: Wire): void => {
    const target = locate(from.source, wire.to, from.enclosing)
    const reason = wire.to === "" || wire.to.endsWith("^") ? "the link names no attribute" : "the link goes up too far"
    if (target === undefined || target.name === "") {
      const message = `"${from.prefix}${from.name}" cannot be followed: ${reason}`
      findings.push({ kind: "invalid", name: from.prefix + from.name, path: from.path, certain: true, message })
      return
    }
    if (wire.kind === "default" && !Object.hasOwn(target.source.table, target.name)) return
    const prefix = target.source === from.source ? from.prefix : prefixOf(wire.to, from.prefix)
    go({ ...target, prefix, path: from.path, certain: from.certain && wire.kind !== "may" })
  }
  go(start)
  return findings
}

const looksAt = (source: Source): ReadonlyArray<string> =>
  Object.keys(source.table).flatMap((name) => {
    const attribute = source.table[name]
    const own = wiresOfAllBranches(source, name).map((wire) => wire.to)
    const nested = isSource(attribute)
      ? looksAt(attribute).flatMap((to) => (to.startsWith("^.") ? [to.slice(2)] : []))
      : []
    return [...own, ...nested]
  })

/**
 * Everything that is wrong, or may be, without building anything: absent names, circles, links that lead nowhere, and
 * attributes that no other attribute looks at (besides `roots`, the names asked for from outside).
 */
export const diagnose = (source: Source, roots?: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  const start = (
    from: Source,
    name: string,
    enclosing: ReadonlyArray<Source>,
    prefix: string
  ): ReadonlyArray<Finding> => {
    const attribute = from.table[name]
    return isSource(attribute)
      ? Object.keys(attribute.table).flatMap((inner) =>
          start(attribute, inner, [...enclosing, from], `${prefix}${name}.`).filter((f) => f.kind === "circular")
        )
      : findingsFrom({ source: from, name, enclosing, prefix, path: [], certain: true })
  }
  const found = (roots ?? Object.keys(source.table)).flatMap((name) => start(source, name, ancestors(source), ""))
  const unique = found.filter((f, i) => found.findIndex((g) => g.message === f.message) === i)
  return roots === undefined ? unique : [...unique, ...unusedIn(source, roots)]
}

const ancestors = (source: Source): ReadonlyArray<Source> =>
  source.parent === undefined ? [] : [...ancestors(source.parent), source.parent]

const unusedIn = (source: Source, roots: ReadonlyArray<string>): ReadonlyArray<Finding> => {
  const known = [...looksAt(source).map((to) => to.split(".")[0] as string), ...roots]
  return Object.keys(source.table)
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known)
      const message = `nothing looks at "${name}"${near === undefined ? "" : `; did you mean "${near}"?`}`
      return { kind: "unused", name, path: [], certain: opaque(source) === undefined, message }
    })
}

/** A value function may return anything: what it returns is not known before it runs. */
const opaque = (source: Source): string | undefined =>
  Object.keys(source.table).find((name) => specOf(source.table[name]).kind === "value")

// ---- diagrams -----------------------------------------------------------------------------------------------

const arrows: Readonly<Record<Wire["kind"], string>> = { needs: "-->", default: "-.->", link: "==>", may: "-. ? .->" }
const quoted = (text: string): string => `"${text.replaceAll('"', "#quot;")}"`

/** The wiring as a mermaid flowchart; dotted arrows are defaults and open branches, thick ones links. */
export const mermaid = (source: Layered, root?: string): string => {
  const ids = new Map<string, string>()
  const lines: Array<string> = []
  const absent = (name: string, kind: Wire["kind"]): string =>
    name.includes(".") ? name : kind === "default" ? `${name} (default)` : `${name} ✗`
  const visit = (name: string, kind: Wire["kind"] = "needs"): string => {
    const known = ids.get(name)
    if (known !== undefined) return known
    const id = `n${ids.size}`
    ids.set(name, id)
    const present = Object.hasOwn(source.table, name)
    const label = present
      ? `${name} = ${headOf(source.table[name])}\n«${originOf(source, name).winner}»`
      : absent(name, kind)
    lines.push(`  ${id}[${quoted(label)}]`)
    if (present)
      for (const wire of wiresOf(source, name)) {
        const to = visit(wire.to, wire.kind)
        lines.push(`  ${id} ${arrows[wire.kind]} ${to}`)
      }
    return id
  }
  for (const name of root === undefined ? Object.keys(source.table) : [root]) visit(name)
  return ["flowchart TD", ...lines].join("\n")
}

// ---- explain ------------------------------------------------------------------------------------------------

/**
 * What one real resolution of `name` did: each attribute that was looked at, what stood behind it, what a value function or
 * a branch turned out to be, and what it was given. Components are built, so it needs what `resolve` needs.
 *
 * - errors: those of a resolution: MissingDependency, CircularDependency, ConstructionFailed, InvalidDependency
 */
export const explain = (
  source: Layered,
  name: string,
  given: Readonly<Record<string, unknown>> = {}
): Effect.Effect<string, ResolutionError, import("effect/Scope").Scope> =>
  resolution(source, [name], given, (root) => explained(source, root, name)) as ReturnType<typeof explain>

const explained = (source: Layered, frame: Frame, root: string): string => {
  const lines: Array<string> = []
  const seen = new Set<string>()
  const walk = (name: string, indent: string): void => {
    const slot = frame.compiled.slotOf.get(name)
    if (slot === undefined || frame.slots[slot] === UNSET)
      return void lines.push(`${indent}${name}${name.includes(".") ? " (another level)" : " (default)"}`)
    const spec = frame.compiled.declared[slot] as Spec
    const built = frame.compiled.specs[slot] as Spec
    const outcome = frame.turnedOut.get(slot) ?? (built === spec ? undefined : built)
    const decided = outcome !== undefined || spec.kind === "choose" || spec.kind === "value"
    const by = decided ? ` (by ${spec.label})` : ""
    const plain = outcome === undefined || outcome.kind === "choose" || outcome.kind === "value"
    const what = decided
      ? plain
        ? show(frame.slots[slot])
        : labelOf(outcome)
      : headOf(source.table[name] ?? frame.slots[slot])
    const again = seen.has(name)
    lines.push(`${indent}${name} = ${what}${by}  «${originOf(source, name).winner}»${again ? " (see above)" : ""}`)
    if (again) return
    seen.add(name)
    for (const next of [...new Set([...namesOf(spec), ...(outcome === undefined ? [] : namesOf(outcome))])])
      walk(next, `${indent}  `)
  }
  walk(root, "")
  return lines.join("\n")
}

const labelOf = (spec: Spec): string =>
  spec.kind === "link" ? `-> ${(spec.path ?? []).join(".")}` : spec.kind === "constant" ? show(spec.value) : spec.label
const namesOf = (spec: Spec): ReadonlyArray<string> =>
  spec.kind === "link" ? [(spec.path ?? []).join(".")] : spec.names

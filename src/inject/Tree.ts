/**
 * An injector as a tree: each attribute with its winner, what it shadows, and what it looks at.
 *
 * Room: inject (level 1). Imports: its own room.
 */
import type { Source } from "./Plan.ts"
import { show } from "./Show.ts"
import { taken, type Wire, wiresOf, wiresOfAllBranches } from "./Wiring.ts"

interface Layered extends Source {
  readonly layers: ReadonlyArray<{ readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }>
}

const layerName = (layer: { readonly name: string }, i: number): string => layer.name || (i === 0 ? "make" : `let#${i}`)

/** The layer whose attribute counts, and those that it shadows, latest first. */
export const originOf = (
  source: Layered,
  name: string
): {
  readonly winner: string
  readonly shadowed: ReadonlyArray<{ readonly layer: string; readonly attribute: unknown }>
} => {
  const from = source.layers
    .flatMap((layer, i) =>
      Object.hasOwn(layer.attributes, name) ? [{ layer: layerName(layer, i), attribute: layer.attributes[name] }] : []
    )
    .reverse()
  return { winner: from[0]?.layer ?? "given", shadowed: from.slice(1) }
}

const marks: Readonly<Record<Wire["kind"], string>> = { needs: "", default: "", link: "~ ", may: "? " }

const absence = (wire: Wire): string =>
  wire.to.includes(".")
    ? "(another level)"
    : wire.kind === "default"
      ? "(default)"
      : wire.kind === "may"
        ? "(missing, if that branch is taken)"
        : "✗ MISSING"

/** The tree, from the attributes that no other looks at, or from `roots`. */
export const treeOf = (source: Layered, roots?: ReadonlyArray<string>): string => {
  const names = Object.keys(source.table)
  const looked = new Set(names.flatMap((name) => wiresOfAllBranches(source, name).map((wire) => wire.to)))
  const tops = roots ?? names.filter((name) => !looked.has(name))
  const origin = source.layers.map(layerName).join(" <- ")
  const lines = [`Injector ${source.name || "(anonymous)"}  [${origin}]`]
  const seen = new Set<string>()
  const walk = (wire: Wire, indent: string, last: boolean, above: ReadonlyArray<string>): void => {
    const head = `${indent}${last ? "└─ " : "├─ "}${marks[wire.kind]}${wire.to}`
    if (!Object.hasOwn(source.table, wire.to)) return void lines.push(`${head}  ${absence(wire)}`)
    if (above.includes(wire.to)) return void lines.push(`${head}  ⟲ CIRCULAR`)
    const { winner, shadowed } = originOf(source, wire.to)
    const shadows = shadowed.map((s) => `${s.layer}: ${show(s.attribute)}`).join("; ")
    const again = seen.has(wire.to)
    const from = `«${winner}${shadows === "" ? "" : `, shadows ${shadows}`}»${again ? " (see above)" : ""}`
    const { attribute, by } = taken(source, wire.to)
    const chosen = by.length === 0 ? "" : ` (by choose ${by.join(", ")})`
    lines.push(`${head} = ${show(attribute)}${chosen}  ${from}`)
    if (again) return
    seen.add(wire.to)
    const wires = wiresOf(source, wire.to)
    wires.forEach((next, i) => {
      walk(next, `${indent}${last ? "   " : "│  "}`, i === wires.length - 1, [...above, wire.to])
    })
  }
  const starts = tops.length === 0 ? names : tops
  starts.forEach((to, i) => {
    walk({ to, kind: "needs" }, "", i === starts.length - 1, [])
  })
  return lines.join("\n")
}

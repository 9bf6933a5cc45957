/**
 * Bricks as a tree to look at: parts that only show, the paths of all parts, the tree as text.
 *
 * Room: core (level 2). Imports: `./BrickModel.ts`.
 */
import type { Brick } from "./BrickModel.ts"

/** No parameters, memory or children. */
export const nothing = {}
/** No tensors. */
export const none: ReadonlyArray<never> = []
/** How what only shows prepares: it has nothing to do. */
export const unchanged: Brick["prepare"] = (state) => state

/** A part that only shows in the tree. */
export const shown = (label: string, children: Readonly<Record<string, Brick>> = nothing): Brick => ({
  label,
  children,
  parameters: nothing,
  memory: nothing,
  own: none,
  prepare: unchanged
})

/**
 * Every brick with its dotted path, depth first: `[["", "RescalingIntQuant"], ["intQuant", "IntQuant"], …]`. One that stands in
 * several places is listed once, with what is below it; what is only `shown` is listed in each place.
 */
export const parts = (brick: Brick): ReadonlyArray<readonly [path: string, label: string]> => {
  const seen = new Set<Brick>()
  const below = (one: Brick, path: string): ReadonlyArray<readonly [path: string, label: string]> => {
    if (seen.has(one)) return []
    if (one.prepare !== unchanged) seen.add(one)
    const inner = Object.entries(one.children)
    return [
      [path, one.label],
      ...inner.flatMap(([name, child]) => below(child, path === "" ? name : `${path}.${name}`))
    ]
  }
  return below(brick, "")
}

/** The tree as text, one part a line. */
export const show = (brick: Brick, indent = ""): string => {
  const inner = Object.entries(brick.children).map(
    ([name, child]) => `${indent}  (${name}): ${show(child, `${indent}  `)}`
  )
  return inner.length === 0 ? `${brick.label}()` : [`${brick.label}(`, ...inner, `${indent})`].join("\n")
}

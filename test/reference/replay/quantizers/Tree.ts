/**
 * The tree of a quantizer's parts, by the reference's paths and names of classes.
 *
 * The reference lists a part that stands in several places once, and which places share a part is an accident of its wiring; a
 * permutation is no part of its own there. So: every part that it lists must be ours, in its order, and what else we have must
 * stand at an earlier place already, or permute.
 */
import type * as Brick from "../../../../src/core/Brick.ts"
import type { Difference } from "./Compared.ts"
import { snakeOf } from "./Names.ts"

type Part = readonly [path: string, label: string]

const keyOf = ([path, label]: Part): string => `${path}: ${label}`

const listed = (texts: ReadonlyArray<string>): string =>
  texts.slice(0, 8).join(", ") + (texts.length > 8 ? ` … (${texts.length})` : "")

interface Place {
  readonly key: string
  /** whether the reference may leave it out */
  readonly optional: boolean
}

const places = (brick: Brick.Brick): ReadonlyArray<Place> => {
  const seen = new Set<Brick.Brick>()
  const below = (one: Brick.Brick, path: string, repeated: boolean): ReadonlyArray<Place> => {
    const again = repeated || seen.has(one)
    seen.add(one)
    return [
      { key: keyOf([snakeOf(path), one.label]), optional: again || one.label === "PermuteDims" },
      ...Object.entries(one.children).flatMap(([name, child]) =>
        below(child, path === "" ? name : `${path}.${name}`, again)
      )
    ]
  }
  return below(brick, "", false)
}

/** Parts that only one side has; or where the order first differs. */
export const treeDifferences = (expected: ReadonlyArray<Part>, brick: Brick.Brick): ReadonlyArray<Difference> => {
  const wanted = expected.map(keyOf)
  const all = places(brick)
  const known = new Set(all.map(({ key }) => key))
  const lacking = wanted.filter((key) => !known.has(key)).map((key) => `lacks ${key}`)
  const extra = all
    .filter(({ key, optional }) => !optional && !wanted.includes(key))
    .map(({ key }) => `has also ${key}`)
  const ours = all.map(({ key }) => key).filter((key) => wanted.includes(key))
  const at = wanted.findIndex((key, i) => key !== ours[i])
  if (lacking.length + extra.length === 0 && at < 0) return []
  const text =
    lacking.length + extra.length === 0
      ? `in another order: expected ${wanted[at]}, got ${ours[at]}`
      : listed([...lacking, ...extra])
  return [{ path: "tree", text: `tree ${text}` }]
}

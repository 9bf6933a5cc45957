/**
 * The place where an error arose: in a model, or in a resolution.
 *
 * Room: tensor (level 0). Imports: nothing.
 */

/** What an error says of the place in a model where it arose. */
export interface Located {
  /** the path of the layer, and of its quantizer if it is about one: `"block1.conv.weightQuant"`; absent: not in a model */
  readonly layer?: string | undefined
}
/** The place as a message begins with it. */
export const at = ({ layer }: Located): string => (layer === undefined ? "" : `${layer}: `)

/** The same error with the name of the layer around it before its path. */
export const within = <E extends Error & Located>(error: E, layer: string): E => {
  const path = error.layer === undefined ? layer : `${layer}.${error.layer}`
  return Reflect.construct(error.constructor, [{ ...error, layer: path }]) as E
}

/** Who asked whom, as a message ends with it. */
export const trail = (path: ReadonlyArray<string>): string => (path.length === 0 ? "" : ` (${path.join(" > ")})`)

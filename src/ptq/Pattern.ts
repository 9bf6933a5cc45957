/**
 * Names by pattern: `*` stands for any characters, all others for themselves.
 *
 * Room: ptq (level 5). Imports: none. Laws: test/ptq/Recipe.test.ts.
 */

/** Whether a name fits a pattern, from its first to its last character. */
export const fits = (pattern: string, name: string): boolean => {
  const [first = "", ...rest] = pattern.split("*")
  if (!name.startsWith(first)) return false
  if (rest.length === 0) return name === first
  const last = rest.at(-1) as string
  const end = rest.slice(0, -1).reduce((from, part) => {
    const at = from < 0 ? -1 : name.indexOf(part, from)
    return at < 0 ? -1 : at + part.length
  }, first.length)
  return end >= 0 && end + last.length <= name.length && name.endsWith(last)
}

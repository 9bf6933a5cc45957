/**
 * A mutant: one place of the sources, wrong in a way that somebody could have written it, and the packs of laws that should notice.
 */

export interface Mutant {
  /** what is wrong, in words */
  readonly name: string
  /** from the root of the package */
  readonly file: string
  /** as it stands there, once */
  readonly text: string
  readonly instead: string
  /** the packs that are run, and the law that is expected to be broken first; another one of them will do */
  readonly packs: ReadonlyArray<string>
  readonly law: string
}

/** How often a text stands in another. */
const times = (text: string, source: string): number => source.split(text).length - 1

/** The source with the mutant in it, or why there is none. */
export const applied = ({ name, file, text, instead }: Mutant, source: string): string | Error => {
  const found = times(text, source)
  if (found !== 1) return new Error(`"${name}": its text stands ${found} times in ${file}, and must stand there once`)
  return source.replace(text, () => instead)
}

/** Whether the file is compiled to WebAssembly. */
export const isAssembly = ({ file }: Mutant): boolean => file.startsWith("src/backend/assembly/")

/**
 * What a load complains of, here and in the reference, in one form.
 */
import * as Deviations from "../../Deviations.ts"

type Observed = Readonly<Record<string, unknown>>

/** What the reference complains of, or what a load of ours does, in one form. */
export const complaint = (kind: string, names: ReadonlyArray<string>): Observed => ({ [kind]: [...names].sort() })

export const expectedLoad = (load: any): Observed => {
  if (load?.error === undefined) return { ...load, missing_keys: load.missing_keys.toSorted() }
  const { message } = load.error
  const named = (pattern: RegExp): ReadonlyArray<string> | undefined => {
    const list = pattern.exec(message)?.[1]
    return list === undefined ? undefined : [...list.matchAll(/"([^"]*)"/g)].map((match) => match[1] as string)
  }
  const missing = Deviations.missingKeys(message)
  if (missing !== undefined) return complaint("missing", missing)
  const unexpected = named(/Unexpected key\(s\) in state_dict: (.*)/)
  if (unexpected !== undefined) return complaint("unexpected", unexpected)
  const size = /size mismatch for ([^:]*):/.exec(message)?.[1]
  return size === undefined ? { error: message } : complaint("size", [size])
}

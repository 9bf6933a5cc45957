/**
 * What a case of the layers says of a layer, as options of breve's: quantizers of the catalogue and overrides by role.
 */
import type * as Injector from "../../../../src/inject/Injector.ts"
import * as Catalogue from "../../../../src/quant/Catalogue.ts"
import type { Case } from "../../Case.ts"
import { camelOf } from "../quantizers/Names.ts"

/** The catalogue entry of a name; `null` is no quantizer. */
export const entryOf = (name: string | null): Injector.Any | null => {
  if (name === null) return null
  const entry = Object.hasOwn(Catalogue.entries, name) ? Catalogue.entries[name] : undefined
  if (entry === undefined) throw new Error(`no catalogue entry ${name}`)
  return entry
}

const optionOf = (written: unknown): unknown =>
  typeof written === "string" ? camelOf(written) : written === null ? undefined : written

/** The overrides that begin with a prefix, without it, in breve's names. */
export const overridesOf = (
  kwargs: Readonly<Record<string, unknown>> | undefined,
  prefix: string,
  others: ReadonlyArray<string> = []
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(kwargs ?? {})
      .filter(([name]) => name.startsWith(prefix) && !others.some((other) => name.startsWith(other)))
      .map(([name, written]) => [camelOf(name.slice(prefix.length)), optionOf(written)] as const)
  )

/** `{ weightQuant, weight, inputQuant, input, ... }` of a case, for these roles; `act` has no prefix. */
export const optionsOf = (
  { config }: Case,
  roles: ReadonlyArray<"weight" | "bias" | "input" | "output" | "act" | "trunc">
): Readonly<Record<string, unknown>> => {
  const quantizers = config.quantizers as Readonly<Record<string, string | null>>
  const prefixOf = (role: string): string => (role === "act" || role === "trunc" ? "" : `${role}_`)
  const prefixes = roles.map(prefixOf).filter((prefix) => prefix !== "")
  return {
    returnQuantTensor: config.return_quant_tensor === true,
    ...Object.fromEntries(
      roles.flatMap((role) => [
        ...(Object.hasOwn(quantizers, role) ? [[`${role}Quant`, entryOf(quantizers[role] ?? null)] as const] : []),
        [role, overridesOf(config.kwargs, prefixOf(role), prefixOf(role) === "" ? prefixes : [])] as const
      ])
    )
  }
}

/**
 * `{ ioQuant, io, ... }` of a case whose layer has many slots, from the prefix of each slot's options there; a quantizer's option is
 * `<slot>_quant`.
 */
export const slotsOf = (
  { config }: Case,
  prefixes: Readonly<Record<string, string>>
): Readonly<Record<string, unknown>> => {
  const quantizers: Readonly<Record<string, string | null>> =
    typeof config.quantizers === "object" && config.quantizers !== null ? config.quantizers : {}
  const names = new Map(Object.keys(prefixes).map((slot) => [`${slot}Quant`, slot]))
  const quants = Object.entries(quantizers).map(([theirs, name]) => [camelOf(theirs), name] as const)
  for (const [name] of quants) if (!names.has(name)) throw new Error(`no slot for ${name}`)
  return {
    ...Object.fromEntries(quants.map(([name, entry]) => [name, entryOf(entry)])),
    ...Object.fromEntries(
      Object.entries(prefixes).flatMap(([slot, prefix]) => {
        const overrides = overridesOf(
          config.kwargs,
          prefix,
          Object.values(prefixes).filter((other) => other !== prefix && other.startsWith(prefix))
        )
        return Object.keys(overrides).length === 0 ? [] : [[slot, overrides] as const]
      })
    )
  }
}

/**
 * Names of the vectors and of breve: options, paths and values of enumerations.
 */

/** `scaling_impl.restrict_clamp_scaling` of `scalingImpl.restrictClampScaling`. */
export const snakeOf = (path: string): string => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** `parameterFromStats` of `parameter_from_stats`, for names and values of enumerations alike. */
export const camelOf = (name: string): string =>
  name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

export type Role = "weight" | "bias" | "act" | "trunc"

const prefixes: Readonly<Record<Role, string>> = { weight: "weight_", bias: "bias_", act: "", trunc: "" }

/** There is one kind of number and one place to compute on. */
const dropped: ReadonlySet<string> = new Set(["dtype", "device"])

const optionOf = (written: unknown): unknown =>
  typeof written === "string" ? camelOf(written) : written === null ? undefined : written

const attributeOf = (name: string, written: unknown): readonly [string, unknown] =>
  name === "scaling_per_output_channel"
    ? ["scalingPerOutput", written === true ? "channel" : "tensor"]
    : [camelOf(name), optionOf(written)]

/** The overrides of a layer's call as attributes; those of another role do not reach the quantizer. */
export const attributesOf = (
  overrides: Readonly<Record<string, unknown>> | null | undefined,
  role: Role
): Readonly<Record<string, unknown>> => {
  const prefix = prefixes[role]
  return Object.fromEntries(
    Object.entries(overrides ?? {})
      .filter(([name]) => name.startsWith(prefix) && !dropped.has(name.slice(prefix.length)))
      .map(([name, written]) => attributeOf(name.slice(prefix.length), written))
  )
}

/**
 * Whether an activation quantizer says itself which axis counts channels: the second one in the reference, the last one here.
 * Where a case overrides it, the case's own data say the axis.
 */
export const statesChannels = (resolved: any, overrides: any): boolean =>
  resolved.scaling_stats_permute_dims !== undefined &&
  overrides.scaling_stats_permute_dims === undefined &&
  overrides.per_channel_broadcastable_shape === undefined

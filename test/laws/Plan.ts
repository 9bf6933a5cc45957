/**
 * What a long run of laws is asked to do: how many cases, and which parts of the whole.
 */
import { parseArgs } from "node:util"

export interface Plan {
  readonly runs: number
  readonly seed: number
  /** parts whose names have this in them, whatever the case */
  readonly only: RegExp | undefined
  /** every `of`-th part, from the `index`-th on; both count from 1 */
  readonly shard: { readonly index: number; readonly of: number }
  /** the number of the part at which to begin */
  readonly from: number
  readonly write: boolean
}

const whole = (name: string, text: string, least: number): number | string => {
  const number = Number(text)
  return Number.isInteger(number) && number >= least
    ? number
    : `--${name} is "${text}": it must be a whole number of at least ${least}`
}

const shardOf = (text: string): Plan["shard"] | string => {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? []
  return index !== undefined && of !== undefined && index >= 1 && index <= of
    ? { index, of }
    : `--shard is "${text}": it must be one of so many, such as 2/4`
}

const patternOf = (text: string | undefined): RegExp | undefined | string => {
  try {
    return text === undefined ? undefined : new RegExp(text, "i")
  } catch {
    return `--only is "${text}": it must be a pattern, such as Fp8 or "StateLaws: a linear"`
  }
}

const optionsOf = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        runs: { type: "string", default: "100" },
        seed: { type: "string", default: "0" },
        only: { type: "string" },
        shard: { type: "string", default: "1/1" },
        from: { type: "string", default: "1" },
        write: { type: "boolean", default: false }
      }
    }).values
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

/** The plan of a command line, or what is wrong with it. */
export const parsed = (args: ReadonlyArray<string>): Plan | string => {
  const values = optionsOf(args)
  if (typeof values === "string") return values
  const runs = whole("runs", values.runs, 1)
  const seed = whole("seed", values.seed, -(2 ** 31))
  const only = patternOf(values.only)
  const shard = shardOf(values.shard)
  const from = whole("from", values.from, 1)
  if (typeof runs === "string") return runs
  if (typeof seed === "string") return seed
  if (typeof only === "string") return only
  if (typeof shard === "string") return shard
  if (typeof from === "string") return from
  return { runs, seed, only, shard, from, write: values.write }
}

/** The parts that a plan asks for, each with its number in the whole; or that there is none. */
export const chosen = <P extends { readonly name: string }>(
  { only, shard, from }: Plan,
  all: ReadonlyArray<P>
): ReadonlyArray<{ readonly number: number; readonly part: P }> | string => {
  const parts = all
    .map((part, i) => ({ number: i + 1, part }))
    .filter(({ part }) => only === undefined || only.test(part.name))
    .filter((_, i) => i % shard.of === shard.index - 1)
    .filter(({ number }) => number >= from)
  const [first] = all
  return parts.length > 0
    ? parts
    : `there is no such part; they have names such as "${first?.name}", and numbers from 1 to ${all.length}`
}

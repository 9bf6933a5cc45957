/**
 * Reading JSON that others wrote: as `JSON.parse`, but a name that stands twice in one object is refused instead of dropped.
 *
 * Room: exchange (level 5). Imports: effect. Laws: test/exchange/Safetensors.test.ts, test/exchange/StateJson.test.ts.
 */
import { Result } from "effect"

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g

/** The first name that an object of a well-formed text has twice. */
const repeated = (text: string): string | undefined => {
  const objects: Array<Set<string> | undefined> = []
  const last = { text: "" }
  for (const [token] of text.matchAll(tokens)) {
    if (token === "{") objects.push(new Set())
    else if (token === "[") objects.push(undefined)
    else if (token === "}" || token === "]") objects.pop()
    else if (token === ":") {
      const name = JSON.parse(last.text) as string
      const names = objects.at(-1)
      if (names?.has(name)) return name
      names?.add(name)
    }
    last.text = token
  }
  return undefined
}

/** The value of a text, or what is wrong with it. */
export const parse = (text: string): Result.Result<unknown, string> => {
  const parsed = Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`
  })
  return Result.flatMap(parsed, (value) => {
    const twice = repeated(text)
    return twice === undefined ? Result.succeed(value) : Result.fail(`has the name "${twice}" twice`)
  })
}

/** Whether something is an object with names. */
export const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

/** Sizes of axes: whole, not negative, and few enough that their product is a number that counts. */
export const isShape = (u: unknown): u is ReadonlyArray<number> =>
  Array.isArray(u) &&
  u.every((d) => Number.isSafeInteger(d) && d >= 0 && !Object.is(d, -0)) &&
  Number.isSafeInteger(u.reduce((product: number, d: number) => product * d, 1))

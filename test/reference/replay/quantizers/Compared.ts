/**
 * How what a quantizer did is compared with what the vectors say: every difference, with its path.
 *
 * Whole numbers, widths and flags: exactly. Values: 1e-6 relative and 1e-7, scales 1e-6 relative; what a layer sums up (`out`):
 * 1e-6 relative to the largest entry. Gradients: 1e-5 relative to the largest entry. One
 * number stands for as many as are expected: a scale may come as `[]`, `[1]` or `[1, 1]`.
 */
import type * as tf from "@tensorflow/tfjs-core"
import { type Case, deviation, failed, type Outcome, passed } from "../../Case.ts"
import * as Deviations from "../../Deviations.ts"
import { numberOf } from "../Core.ts"

interface Written {
  readonly shape: ReadonlyArray<number>
  readonly dtype?: string
  readonly data: ReadonlyArray<number | string | boolean>
}
export const isWritten = (u: unknown): u is Written =>
  typeof u === "object" && u !== null && "shape" in u && "data" in u && Array.isArray(u.data)

export interface Difference {
  readonly path: string
  readonly text: string
  /** of numbers: how far the farthest one is off, relative to the largest one expected */
  readonly off?: number
}

export type Tolerance = (expected: number, all: ReadonlyArray<number>) => number
const exactly: Tolerance = () => 0
const asValue: Tolerance = (expected) => 1e-6 * Math.abs(expected) + 1e-7
/** The terms of a sum may nearly cancel. */
const asSum: Tolerance = (_, all) => 1e-6 * all.reduce((most, x) => Math.max(most, Math.abs(x)), 0) + 1e-7
/** What was learned in several steps carries the roundings of all of them. */
const asTrained: Tolerance = (_, all) => 1e-5 * all.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
/** A scale may be as small as an absolute tolerance. */
const asScale: Tolerance = (expected) => 1e-6 * Math.abs(expected)
/** 1e-6 of what it is the logarithm of, besides its own. */
const asLogarithm: Tolerance = (expected) => 1e-6 * Math.abs(expected) + 1e-6 / Math.LN2
/** Where the terms of a gradient nearly cancel, their rounding remains: eight units in the last place of `terms`, their size. */
const asGradient =
  (terms: number): Tolerance =>
  (_, all) =>
    1e-5 * Math.max(0, ...all.filter(Number.isFinite).map(Math.abs)) + 8 * 2 ** -24 * terms

const shown = (u: unknown): string => {
  const text = JSON.stringify(u) ?? "nothing"
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

const same = (shape: ReadonlyArray<number>, other: ReadonlyArray<number>): boolean =>
  JSON.stringify(shape) === JSON.stringify(other)

const differs = (path: string, text: string): ReadonlyArray<Difference> => [{ path, text: `${path}${text}` }]

const tensors = (
  expected: Written,
  actual: tf.Tensor,
  path: string,
  tolerance: Tolerance
): ReadonlyArray<Difference> => {
  const wanted = expected.data.map((x) => numberOf(x as number))
  const single = actual.size === 1 || wanted.length === 1
  if (!single && !same(expected.shape, actual.shape))
    return differs(path, `: expected the shape [${expected.shape}], got [${actual.shape}]`)
  const data = actual.dataSync()
  const [many, few] = wanted.length >= data.length ? [wanted.length, data.length] : [data.length, wanted.length]
  const wrong: Array<readonly [at: number, x: number, y: number]> = []
  for (let i = 0; i < many; i++) {
    const x = wanted[wanted.length === few ? i % few : i] as number
    const y = data[data.length === few ? i % few : i] as number
    if (!Object.is(x, y) && !(Math.abs(x - y) <= tolerance(x, wanted))) wrong.push([i, x, y])
  }
  const [first] = wrong
  if (first === undefined) return []
  const [at, x, y] = first
  const largest = Math.max(...wanted.map(Math.abs)) || 1
  const off = Math.max(...wrong.map(([, x, y]) => Math.abs(x - y))) / largest
  return [{ path, text: `${path}[${at}]: expected ${x}, got ${y}`, off }]
}

const ofName = (path: string, written: Written): Tolerance =>
  (written.dtype !== undefined && written.dtype !== "float32") || /bit_width$/.test(path)
    ? exactly
    : /scale(_grouped)?$/.test(path)
      ? asScale
      : /^out\b.*\bvalue$/.test(path)
        ? asSum
        : asValue

/** As `differences` compares; scales that are held as logarithms, by their relative difference. */
export const ofLogarithms = (path: string, written: Written): Tolerance =>
  /scaling_impl\.(value|buffer)$/.test(path) ? asLogarithm : ofName(path, written)

/** As `differences` compares; numbers that are not exact, as what training has made of them. */
export const ofTrained = (path: string, written: Written): Tolerance => {
  const untrained = ofName(path, written)
  return untrained === exactly ? exactly : asTrained
}

/** Where `actual` is not as expected; what the expectation does not mention is not looked at. */
export const differences = (
  expected: unknown,
  actual: unknown,
  path: string,
  tolerance: (path: string, written: Written) => Tolerance = ofName
): ReadonlyArray<Difference> => {
  if (isWritten(expected))
    return isTensor(actual)
      ? tensors(expected, actual, path, tolerance(path, expected))
      : differs(path, `: expected a tensor [${expected.shape}], got ${shown(actual)}`)
  const wrong = (): ReadonlyArray<Difference> =>
    differs(path, `: expected ${shown(expected)}, got ${isTensor(actual) ? "a tensor" : shown(actual)}`)
  if (typeof expected !== "object" || expected === null) return Object.is(expected, actual ?? null) ? [] : wrong()
  if (typeof actual !== "object" || actual === null) return wrong()
  if (Array.isArray(expected) && (!Array.isArray(actual) || actual.length !== expected.length)) return wrong()
  return Object.entries(expected).flatMap(([key, inner]) =>
    differences(inner, (actual as Readonly<Record<string, unknown>>)[key], `${path}.${key}`, tolerance)
  )
}

const isTensor = (u: unknown): u is tf.Tensor => typeof u === "object" && u !== null && "dataSync" in u

/**
 * Gradients by name. The reference tells a gradient that never arrived (`null`) from zeros, which depends on how its graph was
 * cut; here both are the absence of a slope, so either stands for the other.
 */
export const gradientDifferences = (
  expected: Readonly<Record<string, Written | null>>,
  actual: Readonly<Record<string, tf.Tensor | null | undefined>>,
  path: string,
  terms: (name: string) => number
): ReadonlyArray<Difference> => [
  ...Object.entries(expected).flatMap(([name, written]) => {
    const at = `${path}.${name}`
    const found = actual[name]
    if (found === undefined) return differs(at, ": there is nothing of this name")
    const zeros = written === null || written.data.every((x) => numberOf(x as number) === 0)
    if (found === null) return zeros ? [] : differs(at, ": there is no path")
    if (written === null)
      return found.dataSync().every((x) => x === 0) ? [] : differs(at, ": expected no path, got a gradient")
    return tensors(written, found, at, asGradient(terms(name)))
  }),
  ...Object.keys(actual)
    .filter((name) => !Object.hasOwn(expected, name) && actual[name] !== null)
    .flatMap((name) => differs(`${path}.${name}`, ": not expected"))
]

/** What the differences of a case come to. */
export const outcomeOf = (testCase: Case, found: ReadonlyArray<Difference>): Outcome => {
  if (found.length === 0) return passed
  const rule = Deviations.explaining(testCase, testCase.outputs, {
    differing: found.map(({ path }) => path),
    off: found.map(({ off }) => off)
  })
  return rule === undefined
    ? failed(
        found
          .slice(0, 3)
          .map(({ text }) => text)
          .join("; ") + (found.length > 3 ? `; and ${found.length - 3} more` : "")
      )
    : deviation(rule.id)
}

/**
 * Every entry of the catalogue: it is wired, it quantizes a tensor of its kind as its facts say, and it leaves nothing behind.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Backend from "../../src/backend/Backend.ts"
import type { State } from "../../src/core/Brick.ts"
import type { External, Quantized, TensorQuantizer } from "../../src/core/TensorQuantizer.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as Catalogue from "../../src/quant/Catalogue.ts"
import { names } from "./Names.ts"
import { channels, externalOf, inputOf, layer, options } from "./Subjects.ts"

// ---- runs ---------------------------------------------------------------------------------------------------

interface Seen {
  readonly shape: ReadonlyArray<number>
  readonly input: ReadonlyArray<number>
  readonly first: ReadonlyArray<number>
  readonly second: ReadonlyArray<number>
  /** the value before the scale, with the zero-point */
  readonly codes: ReadonlyArray<number>
  readonly zeroPoints: ReadonlyArray<number>
  readonly bits: number
  readonly scales: number
  readonly scaleIsPositive: boolean
}

/** Evaluates twice with one state: after a step of training, and with the statistics of the first input that were due. */
const look = (quantizer: TensorQuantizer, x: tf.Tensor, external: External): Seen => {
  const start: State = { parameters: quantizer.parameters, memory: quantizer.memory, training: true, tracked: [x] }
  const trained: State = { ...start, ...quantizer.prepare(start) }
  const [, memory] = quantizer.apply(trained, x, external)
  const state: State = { ...trained, memory, training: false }
  const run = (input: tf.Tensor): Quantized => quantizer.apply({ ...state, tracked: [input] }, input, external)[0]
  const once = run(x)
  const twice = run(once.value)
  const { scale, zeroPoint } = once
  return {
    shape: once.value.shape,
    input: [...x.dataSync()],
    first: [...once.value.dataSync()],
    second: [...twice.value.dataSync()],
    codes: [...tf.add(tf.div(once.value, scale), zeroPoint).dataSync()],
    zeroPoints: [...zeroPoint.dataSync()],
    bits: once.bitWidth.dataSync()[0] as number,
    scales: (once.grouped?.scale ?? scale).size,
    scaleIsPositive: scale.dataSync().every((s) => s > 0 && Number.isFinite(s))
  }
}

const seen = (
  entry: Injector.Any,
  shape: ReadonlyArray<number>
): Effect.Effect<Seen | undefined, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const made = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const module = layer(shape.length === 2 ? "Linear" : "Conv2d", shape)
        return { module, x: tf.tidy(() => inputOf(entry, module)), external: externalOf(Catalogue.facts(entry).slot) }
      }),
      ({ module, x, external }) => Effect.sync(() => tf.dispose([module.weight, module.bias, x, external] as never))
    )
    const given = options(entry, made.module)
    const wired = Injector.merge(entry, Injector.make("given", given))
    const findings = Injector.diagnose(wired, ["tensorQuant"]).filter(({ kind }) => kind !== "unused")
    expect(findings.map(({ message }) => message)).toEqual([])
    const { tensorQuant } = yield* Injector.resolveUnknown(entry, ["tensorQuant"], given)
    if (tensorQuant === undefined) return undefined
    const quantizer = tensorQuant as TensorQuantizer
    const answer = { seen: undefined as Seen | undefined }
    tf.tidy(() => {
      answer.seen = look(quantizer, made.x, made.external)
    })
    expect(answer.seen?.shape).toEqual(made.x.shape)
    return answer.seen
  })

/** Runs on the backend, and counts the tensors that are left. */
const withoutLeak = <A>(program: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer)) as Effect.Effect<A>
  )

// ---- what the facts promise ---------------------------------------------------------------------------------

const whole = (x: number, tolerance: number): boolean => Math.abs(x - Math.round(x)) <= tolerance

/** Whether a number has the sign, exponent and mantissa bits of a format: the mantissa, made an integer, is one. */
const isMinifloat = (x: number, exponentBits: number, mantissaBits: number, bias: number): boolean => {
  if (x === 0) return true
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x)) + 1e-9), 1 - bias)
  return exponent <= 2 ** exponentBits - 1 - bias && whole(Math.abs(x) / 2 ** (exponent - mantissaBits), 2e-3)
}

/** How many scales there are of `[64, 4]` or `[3, 3, 2, 4]` weights, and of what runs through. */
const scalesOf = (facts: Catalogue.Facts, shape: ReadonlyArray<number>): number | undefined => {
  const { scale, slot } = facts
  const last = shape.at(-1) as number
  const rest = shape.slice(0, -1).reduce((a, b) => a * b, 1)
  switch (scale?.per) {
    case "tensor":
      return 1
    case "channel":
      return last
    case "row":
      return rest
    case "group":
      return slot === "weight"
        ? Math.ceil((shape.at(-2) as number) / (scale.groupSize as number)) * (rest / (shape.at(-2) as number)) * last
        : Math.ceil(last / (scale.groupSize as number)) * rest
    default:
      return undefined
  }
}

/** The width that `look` gives where a declaration leaves it open. */
const bitsOf = ({ bits, format }: Catalogue.Facts): number => bits ?? (format.kind === "minifloat" ? 6 : 8)

const keepsItsFacts = (facts: Catalogue.Facts, { codes, bits, scales, ...is }: Seen): void => {
  const { format, range, zeroPoint } = facts
  expect(bits).toBe(bitsOf(facts))
  expect(is.scaleIsPositive).toBe(true)
  expect(scales).toBe(scalesOf(facts, is.shape))
  expect(is.first.every(Number.isFinite)).toBe(true)
  if (format.kind === "integer" || format.kind === "binary" || format.kind === "ternary") {
    const [low, high] = range ?? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
    // float32 has 24 bits: the quotient of a wide integer by its scale is off by so much
    const tolerance = Math.max(1e-3, 2 ** (bits - 22))
    const integers = codes.map((code, i) =>
      zeroPoint.whole ? code : code - ((is.zeroPoints[i % is.zeroPoints.length] as number) % 1)
    )
    if (zeroPoint.whole) expect(integers.filter((code) => !whole(code, tolerance))).toEqual([])
    expect(Math.min(...codes)).toBeGreaterThanOrEqual(low - tolerance)
    expect(Math.max(...codes)).toBeLessThanOrEqual(high + tolerance)
    expect(new Set(codes.map((code) => Math.round(code))).size).toBeLessThanOrEqual(2 ** bits)
  }
  if (format.kind === "minifloat") {
    const { exponentBits: e = 3, mantissaBits: m = 2 } = format
    const bias = format.bias ?? (facts.name.includes("FNUZ") ? 2 ** (e - 1) : 2 ** (e - 1) - 1)
    expect(codes.filter((code) => !isMinifloat(code, e, m, bias))).toEqual([])
    expect(Math.max(...codes.map(Math.abs))).toBeLessThanOrEqual((range?.[1] ?? 2 ** (2 ** e)) * (1 + 1e-5))
  }
}

/**
 * Whether quantizing a second time changes nothing: with the same scale it does not. A scale that follows the tensor stays if the
 * largest magnitude does, as it does where that is a value of the format.
 */
const isIdempotent = ({ scale, slot, format, range }: Catalogue.Facts): boolean => {
  if (scale === undefined || slot === "truncation" || scale.pre !== undefined) return false
  if (!scale.origin.startsWith("statistics of each call")) return true
  const reached = format.kind === "minifloat" || (range !== undefined && range[0] === -range[1])
  return scale.statistic === "max |x|" && scale.restriction === "float" && reached
}

const weightShapes: ReadonlyArray<ReadonlyArray<number>> = [
  [64, channels],
  [3, 3, 2, channels]
]

describe.each(Object.entries(Catalogue.entries))("%s", (name, entry) => {
  const facts = Catalogue.facts(entry)
  it("is named as it is exported, and says what it is for", () => {
    expect(entry.name).toBe(name)
    expect(facts.name).toBe(name)
    expect(facts.slot).toBeDefined()
    expect(facts.format.kind).not.toBe("open")
    expect(facts.scale?.origin).not.toBe("unknown")
  })
  for (const shape of facts.slot === "weight" ? weightShapes : weightShapes.slice(0, 1))
    it(`is wired without doubt, and quantizes as its facts say, [${shape}]`, async () => {
      const found = await withoutLeak(seen(entry, shape))
      if (facts.format.kind === "none") return expect(found).toBeUndefined()
      if (found === undefined) return expect.fail("nothing was quantized")
      keepsItsFacts(facts, found)
      if (isIdempotent(facts)) {
        const largest = Math.max(...found.first.map(Math.abs))
        found.second.forEach((y, i) => {
          expect(Math.abs(y - (found.first[i] as number))).toBeLessThanOrEqual(largest * 2e-6)
        })
      }
    })
})

describe("the catalogue", () => {
  it.each(Object.entries(names))("has each quantizer of Brevitas, %s", (_, wanted) => {
    expect(wanted.filter((name) => !Object.hasOwn(Catalogue.entries, name))).toEqual([])
  })
  it("has each name once, in a family", () => {
    const all = Object.values(Catalogue.families).flatMap((entries) => Object.keys(entries))
    expect(new Set(all).size).toBe(all.length)
    for (const name of all)
      expect(Object.keys(Catalogue.families[Catalogue.familyOf(name) as string] ?? {})).toContain(name)
    expect(Catalogue.familyOf("Int9Weight")).toBeUndefined()
  })
})

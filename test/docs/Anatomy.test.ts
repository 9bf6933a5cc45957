/**
 * The guide "Anatomy of a quantizer": each of its cells runs, agrees with the reference where there is a case, and is in the
 * guide as it is in its file.
 */
import { readdir, readFile } from "node:fs/promises"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, Brick, type Layer, QuantTensor, type State, type TensorQuantizer } from "breve"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as Cell01 from "../../docs/examples/anatomy/cell01.ts"
import * as Cell02 from "../../docs/examples/anatomy/cell02.ts"
import * as Cell03 from "../../docs/examples/anatomy/cell03.ts"
import * as Cell04 from "../../docs/examples/anatomy/cell04.ts"
import * as Cell05 from "../../docs/examples/anatomy/cell05.ts"
import * as Cell06 from "../../docs/examples/anatomy/cell06.ts"
import * as Cell07 from "../../docs/examples/anatomy/cell07.ts"
import * as Cell08 from "../../docs/examples/anatomy/cell08.ts"
import * as Cell09 from "../../docs/examples/anatomy/cell09.ts"
import * as Cell10 from "../../docs/examples/anatomy/cell10.ts"
import * as Cell11 from "../../docs/examples/anatomy/cell11.ts"
import * as Cell12 from "../../docs/examples/anatomy/cell12.ts"
import * as Cell13 from "../../docs/examples/anatomy/cell13.ts"
import * as Cell14 from "../../docs/examples/anatomy/cell14.ts"
import * as Cell15 from "../../docs/examples/anatomy/cell15.ts"
import * as Cell16 from "../../docs/examples/anatomy/cell16.ts"
import * as Cell17 from "../../docs/examples/anatomy/cell17.ts"
import * as Cell18 from "../../docs/examples/anatomy/cell18.ts"
import * as Cell19 from "../../docs/examples/anatomy/cell19.ts"
import * as Cell20 from "../../docs/examples/anatomy/cell20.ts"
import * as Cell21 from "../../docs/examples/anatomy/cell21.ts"
import * as Cell22 from "../../docs/examples/anatomy/cell22.ts"
import * as Cell23 from "../../docs/examples/anatomy/cell23.ts"
import * as Cell24 from "../../docs/examples/anatomy/cell24.ts"
import * as Cell25 from "../../docs/examples/anatomy/cell25.ts"
import * as Cell26 from "../../docs/examples/anatomy/cell26.ts"
import * as Cell27 from "../../docs/examples/anatomy/cell27.ts"
import * as Cell28 from "../../docs/examples/anatomy/cell28.ts"
import * as Cell29 from "../../docs/examples/anatomy/cell29.ts"
import * as Cell30 from "../../docs/examples/anatomy/cell30.ts"
import * as Cell31 from "../../docs/examples/anatomy/cell31.ts"
import * as Cell32 from "../../docs/examples/anatomy/cell32.ts"
import * as Cell33 from "../../docs/examples/anatomy/cell33.ts"
import * as Cell34 from "../../docs/examples/anatomy/cell34.ts"
import * as Cell35 from "../../docs/examples/anatomy/cell35.ts"
import * as Cell36 from "../../docs/examples/anatomy/cell36.ts"
import * as Quantizers from "../../docs/examples/anatomy/quantizers.ts"
import type { Case } from "../reference/Case.ts"
import { camelCase } from "../reference/replay/Declarations.ts"
import * as Numbers from "../reference/replay/Numbers.ts"

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)
const cases: ReadonlyArray<Case> = JSON.parse(await readFile(at("test/reference/api/tutorial.json"), "utf8")).cases

/** The first case of the reference for a cell. */
const caseOf = (cell: number, holds: (found: Case) => boolean = () => true): Case =>
  cases.find((found) => found.config.cell === cell && holds(found)) ?? expect.fail(`the reference lacks cell ${cell}`)

const layout = Numbers.layoutOf("weight OIHW")
const tensor = (found: Case, name: string) =>
  Effect.acquireRelease(
    Effect.sync(() => Numbers.read(layout, found.inputs[name])),
    (made) => Effect.sync(() => made.dispose())
  )
const floatState = (found: Case) =>
  Effect.acquireRelease(
    Effect.sync(
      (): State.StateDict => ({
        weight: Numbers.read(layout, found.inputs.state_dict.weight),
        bias: Numbers.read(layout, found.inputs.state_dict.bias)
      })
    ),
    (state) => Effect.sync(() => tf.dispose(state as tf.TensorContainer))
  )

/** Runs a program on the backend and checks that no tensor is left behind. */
const run = <A, E>(program: Effect.Effect<A, E, Backend.Backend | Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* Backend.Backend
      const before = tf.memory().numTensors
      const answer = yield* Effect.scoped(program)
      expect(tf.memory().numTensors).toBe(before)
      return answer
    }).pipe(Effect.provide(Backend.layer))
  )

const agrees = (expected: unknown, actual: unknown): void =>
  expect(Numbers.difference(expected, actual, Numbers.forValues)).toBeUndefined()

/** A cell that answers a quant tensor, or a plain one, for the tensor `input` of its case. */
const quantizes = (
  found: Case,
  input: string,
  output: string,
  cell: (x: tf.Tensor) => Effect.Effect<Layer.Value, unknown, Scope.Scope>
) =>
  run(
    Effect.gen(function* () {
      const y = yield* cell(yield* tensor(found, input))
      agrees(found.outputs[output], Numbers.writeValue(layout, y))
      for (const made of QuantTensor.tensorsOf(y)) made.dispose()
    })
  )

/** A cell that calls a quantizer on its own. */
const applies = (cell: number, f: (x: tf.Tensor) => Effect.Effect<TensorQuantizer.Quantized, unknown, Scope.Scope>) =>
  run(
    Effect.gen(function* () {
      const found = caseOf(cell)
      const { value, scale, zeroPoint, bitWidth } = yield* f(yield* tensor(found, "x"))
      const write = (x: tf.Tensor) => Numbers.write(layout, x)
      agrees(found.outputs, {
        value: write(value),
        scale: write(scale),
        zero_point: write(zeroPoint),
        bit_width: write(bitWidth)
      })
      for (const made of [value, scale, bitWidth]) made.dispose()
    })
  )

describe("what is in a quantizer", () => {
  it("1", () => expect(Cell01.run).toBe(true))
  it("2", () =>
    run(
      Effect.gen(function* () {
        const brick = yield* Cell02.quantizer
        const tree = caseOf(2).outputs.tree.map(([path, label]: [string, string]) => [camelCase(path), label])
        expect(Brick.parts(brick)).toEqual(tree)
        expect(yield* Cell02.run).toBe(Brick.show(brick))
      })
    ))
})

describe("binary quantization by hand and by an injector", () => {
  it("3", async () => expect(await Effect.runPromise(Cell03.run)).toBeDefined())
  it("4", () =>
    run(
      Effect.gen(function* () {
        const found = caseOf(6)
        const x = yield* tensor(found, "x")
        agrees(
          found.outputs.value,
          Numbers.tidied(() => Numbers.write(layout, Cell04.run(x, tf.scalar(0.1))))
        )
      })
    ))
  it("5", async () => expect(await run(Cell05.run)).toEqual({ label: "ParameterScaling", learned: ["value"] }))
  it("6", () => applies(6, Cell06.run))
  it("7", () => applies(7, Cell07.run))
  it("8", () => applies(8, Cell08.run))
  it("9", () => applies(9, Cell09.run))
})

describe("quantizers and layers", () => {
  it("10", () => expect(Cell10.run).toBe("MyBinaryWeightQuantizer"))
  it("11", async () => {
    const error = await run(Cell11.run)
    expect(error._tag).toBe("UnknownSign")
    expect(error.message).toContain("MyBinaryWeightQuantizer")
  })
  it("12", () => quantizes(caseOf(12), "weight", "quant_weight", Cell12.run))
  it("13", async () =>
    expect(await run(Effect.flatMap(tensor(caseOf(12), "weight"), Cell13.run))).toBe(caseOf(12).outputs.is_valid))
  it("14", () => quantizes(caseOf(14), "weight", "quant_weight", Cell14.run))
  it("15", () => quantizes(caseOf(15), "x", "out", Cell15.run))
  it("16", () => quantizes(caseOf(16), "x", "out", Cell16.run))
})

describe("a scale from the weight", () => {
  it("17", () => expect(Cell17.run).toContain("scalingInit = value(module)"))
  it("18", () => quantizes(caseOf(18), "weight", "quant_weight", Cell18.run))
  it("19", async () =>
    expect(await run(Effect.flatMap(tensor(caseOf(18), "weight"), Cell19.run))).toBe(
      caseOf(18).outputs.scale_equals_max
    ))
  it("20", async () => {
    const found = caseOf(21)
    const maxima = await run(Effect.map(floatState(found), Cell20.run))
    const max = (name: string): number =>
      Math.fround(Math.max(...found.inputs.state_dict[name].data.map((x: number) => Math.abs(x))))
    expect(maxima).toEqual([
      ["weight", max("weight")],
      ["bias", max("bias")]
    ])
  })
  it("21", () =>
    run(
      Effect.gen(function* () {
        const found = caseOf(21)
        const { error, before, after } = yield* Cell21.run(yield* tensor(found, "weight"), yield* floatState(found))
        expect(error).toMatchObject({ _tag: "MissingKeys", keys: ["weightQuant.scalingImpl.value"] })
        expect(after).toEqual(before)
      })
    ))
  it("22", () =>
    run(
      Effect.gen(function* () {
        const found = caseOf(23)
        const loaded = yield* Cell22.run(yield* tensor(found, "weight"), yield* floatState(found))
        expect(loaded).toEqual({
          adopted: ["weight", "bias"],
          missing: ["weightQuant.scalingImpl.value"],
          unexpected: found.outputs.unexpected_keys
        })
      })
    ))
  it("23", () => {
    const found = caseOf(23)
    return quantizes(found, "weight", "quant_weight", (weight) =>
      Effect.flatMap(floatState(found), (state) => Cell23.run(weight, state))
    )
  })
})

describe("sharing", () => {
  it("24", async () => expect(await run(Cell24.run)).toBe(caseOf(24).outputs.same_proxy))
  it("25", async () => expect(await run(Cell25.run)).toBe(caseOf(25).outputs.same_proxy))
  it("26", async () => expect(await run(Cell26.run)).toBe(caseOf(25).outputs.scale_equal))
  it("27", () =>
    run(
      Effect.gen(function* () {
        const found = caseOf(27)
        const { alone, together } = yield* Cell27.run(yield* tensor(found, "weight1"), yield* tensor(found, "weight2"))
        agrees(found.outputs.scale_one_layer, { shape: [1], data: [alone] })
        agrees(found.outputs.scale_two_layers, { shape: [1], data: [together] })
      })
    ))
  it("28", () =>
    run(
      Effect.gen(function* () {
        const found = caseOf(28)
        const [first, second] = yield* Cell28.run(yield* tensor(found, "weight1"), yield* tensor(found, "weight2"))
        agrees(found.outputs.scale, { shape: [1], data: [first] })
        agrees(found.outputs.scale_seen_by_layer2, { shape: [1], data: [second] })
      })
    ))
})

describe("weights that change later", () => {
  const weight = tensor(caseOf(30), "new_weight")
  it("29", async () =>
    expect(await run(Effect.flatMap(weight, Cell29.run))).toBe(caseOf(30).outputs.stale_equals_new_max))
  it("30", async () =>
    expect(await run(Effect.flatMap(weight, Cell30.run))).toBe(caseOf(30).outputs.after_equals_new_max))
})

describe("a quantization API of one's own", () => {
  it("31", () => expect(Cell31.run).toEqual(["AdvancedWeightQuantizer", "AdvancedActQuantizer"]))
  const perChannel = ({ config }: Case): boolean =>
    config.kwargs.weight_is_clamped === false && config.kwargs.weight_scaling_per_output_channel === true
  it("32", () => quantizes(caseOf(32, perChannel), "weight", "quant_weight", Cell32.run))
  it("33", () => {
    const found = caseOf(33)
    return quantizes(found, "weight", "quant_weight", (weight) =>
      Effect.flatMap(floatState(found), (state) => Cell33.run(weight, state))
    )
  })
  it("34", () => quantizes(caseOf(34), "x", "out", Cell34.run))
  it("35", async () => {
    const error = await run(Cell35.run)
    expect(error).toMatchObject({ _tag: "MissingDependency", attribute: "perChannelBroadcastableShape" })
    expect(caseOf(35).outputs.build.error.message).toContain("per_channel_broadcastable_shape")
  })
  it("36", () => quantizes(caseOf(36), "x", "out", Cell36.run))
})

describe("the guide", () => {
  it("shows each file as it is", async () => {
    const guide = await readFile(at("docs/guide/anatomy-of-a-quantizer.md"), "utf8")
    const blocks = [...guide.matchAll(/<!-- (docs\/examples\/\S+) -->\n\n```ts\n([\s\S]*?)```/g)].map(
      ([, path, code]) => [path as string, code as string] as const
    )
    for (const [path, code] of blocks) expect(code, path).toBe(await readFile(at(path), "utf8"))
    const files = (await readdir(at("docs/examples/anatomy"))).map((file) => `docs/examples/anatomy/${file}`)
    expect(blocks.map(([path]) => path).sort()).toEqual(files.sort())
    expect(guide.match(/```ts\n/g)).toHaveLength(blocks.length)
  })
  it("shows what the cells answer", async () => {
    const guide = await readFile(at("docs/guide/anatomy-of-a-quantizer.md"), "utf8")
    const texts = [...guide.matchAll(/```text\n([\s\S]*?)\n```/g)].map(([, text]) => text)
    expect(texts).toEqual([await run(Cell02.run), Cell17.run])
    const unwrapped = guide.replace(/\n/g, " ")
    expect(unwrapped).toContain((await run(Cell11.run)).message)
    expect(unwrapped).toContain((await run(Cell35.run)).message.split(";")[0])
  })
  it("collects its declarations", () => {
    for (const [name, quantizer] of Object.entries(Quantizers)) expect(quantizer.name, name).not.toBe("")
  })
})

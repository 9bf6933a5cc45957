/**
 * The benchmarks: `npm run bench -- --json FILE`. Each figure is a median, and a ratio to a plain copy of 4 MB in the same run.
 */
import { writeFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as Injector from "../../src/inject/Injector.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import { median } from "./Median.ts"
import * as Quantization from "./Quantization.ts"

/** Twenty attributes of plain objects: what the wiring alone costs. */
const twenty = (() => {
  const leaf = (label: string) => Injector.component(label, {}, () => ({ label }))
  const node = <const D extends Parameters<typeof Injector.component>[1]>(label: string, dependencies: D) =>
    Injector.component(label, dependencies, (given) => ({ label, given }))
  const any = () => Injector.required<object>()
  return Injector.make("Twenty", {
    tensorQuant: node("TensorQuant", {
      intQuant: any(),
      scalingImpl: any(),
      intScalingImpl: any(),
      zeroPointImpl: any(),
      bitWidthImpl: any()
    }),
    intQuant: node("IntQuant", {
      floatToIntImpl: any(),
      tensorClampImpl: any(),
      delay: any(),
      signed: Injector.required<boolean>(),
      narrowRange: Injector.required<boolean>()
    }),
    scalingImpl: node("Scaling", {
      statsImpl: any(),
      restrictImpl: any(),
      scalingInit: Injector.required<number>(),
      scalingShape: Injector.required<object>()
    }),
    statsImpl: node("Stats", { viewImpl: any(), percentile: Injector.required<number>() }),
    restrictImpl: node("Restrict", { clampImpl: any(), minVal: Injector.required<number>() }),
    bitWidthImpl: node("BitWidth", { bitWidth: Injector.required<number>() }),
    intScalingImpl: node("IntScaling", { signed: Injector.required<boolean>() }),
    zeroPointImpl: leaf("ZeroPoint"),
    floatToIntImpl: leaf("Round"),
    tensorClampImpl: leaf("Clamp"),
    clampImpl: leaf("ClampMin"),
    viewImpl: leaf("View"),
    delay: node("Delay", { steps: Injector.required<number>() }),
    steps: 0,
    signed: true,
    narrowRange: false,
    scalingInit: Injector.value(["bitWidth"], (bits: number) => 2 ** -bits),
    scalingShape: [],
    percentile: 99.9,
    minVal: 1e-10,
    bitWidth: 8
  })
})()

const program = Effect.gen(function* () {
  const source = new Float32Array(1 << 20).fill(1.5)
  const target = new Float32Array(1 << 20)
  const copyMs = median(() => target.set(source), 20)
  const wiring = Injector.resolve(twenty, "tensorQuant")
  const catalogue = Effect.scoped(pipe(ScaledInt.Int8ActPerTensorFloat, Injector.resolve("tensorQuant")))
  const figures: ReadonlyArray<readonly [name: string, medianMs: number]> = [
    ...(yield* Quantization.figures),
    ["resolve.twenty", median(() => Effect.runSync(wiring), 1000)],
    ["resolve.catalogue", median(() => Effect.runSync(catalogue), 200)]
  ]
  return {
    copyMs,
    figures: figures.map(([name, medianMs]) => ({ name, medianMs, ratioToCopy: medianMs / copyMs })),
    tensorsLeft: tf.memory().numTensors
  }
})

const result = await Effect.runPromise(Effect.provide(program, Backend.layer))
console.table(
  result.figures.map(({ name, medianMs, ratioToCopy }) => ({
    name,
    "median µs": Number((1000 * medianMs).toFixed(2)),
    "ratio to copy": Number(ratioToCopy.toFixed(4))
  }))
)
const at = process.argv.indexOf("--json")
const file = at === -1 ? undefined : process.argv[at + 1]
if (file !== undefined)
  writeFileSync(file, `${JSON.stringify({ copyMs: result.copyMs, figures: result.figures }, undefined, 2)}\n`)

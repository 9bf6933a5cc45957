/**
 * The figures of resolving: what wiring costs when everything has been planned.
 */
import { Effect, pipe } from "effect"
import * as Injector from "../../src/inject/Injector.ts"
import * as ScaledInt from "../../src/quant/ScaledInt.ts"
import type { Figure } from "./Figure.ts"

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

const wiring = Injector.resolve(twenty, "tensorQuant")
const catalogue = Effect.scoped(pipe(ScaledInt.Int8ActPerTensorFloat, Injector.resolve("tensorQuant")))

export const figures: ReadonlyArray<Figure> = [
  { name: "resolve.twenty", inner: 1000, call: () => Effect.runSync(wiring) },
  { name: "resolve.catalogue", inner: 200, call: () => Effect.runSync(catalogue) }
]

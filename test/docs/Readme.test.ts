import { readFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Effect, pipe } from "effect"
import { expect, it } from "vitest"
import { Backend, Injector, ScaledInt, TensorQuantizer } from "../../src/index.ts"

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")

it("the README's example says what really comes out", async () => {
  const [, input] = readme.match(/tf\.tensor\(\[([^\]]*)\]\)/) ?? []
  const [, output] = readme.match(/value\.print\(\) \/\/ \[([^\]]*)\]/) ?? []
  const numbers = (text: string | undefined): ReadonlyArray<number> => (text ?? "").split(",").map(Number)
  const quantizer = pipe(
    ScaledInt.Int8WeightPerTensorFloat,
    Injector.let({ bitWidth: 4 }),
    Injector.resolve("tensorQuant")
  )
  const [value, scale] = await Effect.runPromise(
    Effect.map(quantizer, (q) =>
      tf.tidy(() => {
        const quantized = TensorQuantizer.quantize(q, tf.tensor1d([...numbers(input)]))
        return [[...quantized.value.dataSync()], quantized.scale.dataSync()[0]] as const
      })
    ).pipe(Effect.scoped, Effect.provide(Backend.layer))
  )
  expect(value.length).toBe(3)
  value.forEach((y, i) => {
    expect(y).toBeCloseTo(numbers(output)[i] as number, 5)
  })
  expect(scale).toBeCloseTo(0.2, 6)
})

it("the command says the version of the package", () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
  const { version } = JSON.parse(read("package.json"))
  expect(read("src/cli/main.ts")).toContain(`version: "${version}"`)
})

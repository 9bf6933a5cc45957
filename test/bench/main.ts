/**
 * The benchmarks: `npm run bench -- [--json FILE] [--page FILE] [--only PART_OF_A_NAME]`. Each figure is a median, and a ratio to a plain copy of
 * 4 MB, which is measured again before every figure. Run from JavaScript that is built like the package.
 */
import { writeFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Effect } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as Baseline from "./Baseline.ts"
import { type Figure, median } from "./Figure.ts"
import { page } from "./Page.ts"
import * as PostTraining from "./PostTraining.ts"
import * as Quantization from "./Quantization.ts"
import * as Training from "./Training.ts"
import * as Wiring from "./Wiring.ts"

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? undefined : process.argv[at + 1]
}

const source = new Float32Array(1 << 20).fill(1.5)
const target = new Float32Array(1 << 20)
const copy: Figure = { name: "copy", inner: 20, call: () => target.set(source) }

const program = Effect.gen(function* () {
  const before = tf.memory().numTensors
  tf.engine().startScope()
  const all = [
    ...(yield* Quantization.figures),
    ...(yield* Training.figures),
    ...(yield* PostTraining.figures),
    ...Baseline.figures(),
    ...Wiring.figures
  ]
  const asked = all.filter(({ name }) => name.includes(option("only") ?? ""))
  const measured = asked.map((figure) => ({ copyMs: median(copy), name: figure.name, medianMs: median(figure) }))
  tf.engine().endScope()
  tf.disposeVariables()
  const copies = measured.map(({ copyMs }) => copyMs).sort((a, b) => a - b)
  const copyMs = copies[copies.length >> 1] ?? Number.NaN
  return {
    copyMs,
    figures: measured.map(({ name, medianMs }) => ({ name, medianMs, ratioToCopy: medianMs / copyMs })),
    tensorsLeft: () => tf.memory().numTensors - before
  }
})

const { copyMs, figures, tensorsLeft } = await Effect.runPromise(Effect.provide(Effect.scoped(program), Backend.layer))
if (tensorsLeft() > 0) console.error(`${tensorsLeft()} tensors were left behind`)
console.log(`copy of 4 MB: ${(1000 * copyMs).toFixed(1)} µs`)
console.table(
  figures.map(({ name, medianMs, ratioToCopy }) => ({
    name,
    "median µs": Number((1000 * medianMs).toFixed(2)),
    "ratio to copy": Number(ratioToCopy.toFixed(4))
  }))
)
const write = (file: string | undefined, contents: () => string): void => {
  if (file !== undefined) writeFileSync(file, contents())
}
write(option("json"), () => `${JSON.stringify({ copyMs, figures }, undefined, 2)}\n`)
write(option("page"), () => page(copyMs, figures))

/**
 * docs/performance.md out of a run of the benchmarks: every figure on that page is measured.
 */
import { readFileSync } from "node:fs"
import { cpus } from "node:os"

export interface Measured {
  readonly name: string
  readonly medianMs: number
  readonly ratioToCopy: number
}

interface Described {
  readonly work: string
  /** how long it may take, as a ratio to the copy, or in microseconds */
  readonly goal?: { readonly ratio: number } | { readonly microseconds: number }
}

const described: Readonly<Record<string, Described>> = {
  "fq.tensor.fwd": { work: "int8 fake-quantization of 1 M values, one scale, forward", goal: { ratio: 1.6 } },
  "fq.tensor.bwd": { work: "its backward, with the gradient of the scale", goal: { ratio: 2.2 } },
  "fq.channel.fwd": { work: "one scale for each of 1,024 rows", goal: { ratio: 2 } },
  "fq.channel.last.fwd": { work: "one scale for each of 1,024 columns" },
  "fq.group32.fwd": { work: "one scale for each 32 values", goal: { ratio: 2.5 } },
  "baseline.tfjs.chain": { work: "the same as a chain of operations of TensorFlow.js" },
  "weight.int8.fwd": {
    work: "`Int8WeightPerTensorFloat` on 1 M weights: statistic, scale, quantization",
    goal: { ratio: 2.5 }
  },
  "weight.int8.fwdbwd": { work: "the same, forward and backward", goal: { ratio: 6 } },
  "weight.mxfloat8.fwd": { work: "`MXFloat8e4m3Weight` on 1 M weights, forward", goal: { ratio: 6 } },
  "act.int8.eval.4k": { work: "`Int8ActPerTensorFloat` in evaluation on 4,096 values", goal: { microseconds: 15 } },
  "step.mlp.float": { work: "one training step, MLP 784-256-256-10, batch 64, float" },
  "step.mlp.int8": { work: "the same, int8 weights and activations with learned scales", goal: { ratio: 17 } },
  "step.cnn.float": {
    work: "one training step, CNN of two 3x3 convolutions with pools and two linear layers, 28x28, batch 32, float"
  },
  "step.cnn.int8": { work: "the same, int8 weights and activations with learned scales", goal: { ratio: 45 } },
  "ptq.gptq.1024": {
    work: "GPTQ of a linear layer of 1024 x 1024 weights at 4 bits, from 512 inputs",
    goal: { microseconds: 1e6 }
  },
  "ptq.gpfq.1024": { work: "GPFQ of the same", goal: { microseconds: 4e6 } },
  "baseline.tfjs.step.mlp": { work: "the int8 MLP step written in operations of TensorFlow.js" },
  "baseline.tfjs.step.cnn": { work: "the int8 CNN step written in operations of TensorFlow.js" },
  "resolve.twenty": { work: "resolving twenty attributes of plain objects" },
  "resolve.catalogue": { work: "resolving `Int8ActPerTensorFloat`", goal: { microseconds: 10 } }
}

const time = (ms: number): string => (ms >= 1 ? `${ms.toFixed(2)} ms` : `${(1000 * ms).toFixed(1)} µs`)

const goalOf = ({ goal }: Described): string =>
  goal === undefined
    ? ""
    : "ratio" in goal
      ? `≤ ${goal.ratio} ×`
      : goal.microseconds < 1e6
        ? `≤ ${goal.microseconds} µs`
        : `≤ ${goal.microseconds / 1e6} s`

const reached = ({ goal }: Described, { medianMs, ratioToCopy }: Measured): string =>
  goal === undefined
    ? ""
    : ("ratio" in goal ? ratioToCopy <= goal.ratio : 1000 * medianMs <= goal.microseconds)
      ? "yes"
      : "no"

const row = (measured: Measured): string => {
  const about = described[measured.name] ?? { work: "" }
  const cells = [
    `\`${measured.name}\``,
    about.work,
    time(measured.medianMs),
    `${measured.ratioToCopy.toPrecision(3)} ×`,
    goalOf(about),
    reached(about, measured)
  ]
  return `| ${cells.join(" | ")} |`
}

const versionOf = (name: string): string => {
  const { version } = JSON.parse(readFileSync(new URL(`../../${name}/package.json`, import.meta.url), "utf8")) as {
    readonly version: string
  }
  return `${name} ${version}`
}

const ratioOf = (figures: ReadonlyArray<Measured>, above: string, below: string): string => {
  const ms = (name: string): number => figures.find((figure) => figure.name === name)?.medianMs ?? Number.NaN
  return (ms(above) / ms(below)).toFixed(2)
}

/** The page for one run. */
export const page = (copyMs: number, figures: ReadonlyArray<Measured>): string => `# Performance

Written by \`npm run bench -- --page docs/performance.md\`: every figure here comes from that one run, on one thread. A figure is the
median of 51 samples; its ratio is to a plain copy of 4 MB of float32, which took ${time(copyMs)} in the same run. Ratios travel better
between machines than times do, but not perfectly: a copy is bound by memory, a product of matrices by arithmetic.

- processor: ${cpus()[0]?.model.trim() ?? "unknown"}, one core of it; WebAssembly with 128-bit SIMD, without relaxed SIMD
- Node.js ${process.versions.node}, V8 ${process.versions.v8}; ${["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "effect"].map(versionOf).join(", ")}

| figure | work | median | to a copy | goal | reached |
| --- | --- | --- | --- | --- | --- |
${figures.map(row).join("\n")}

A quantized step takes ${ratioOf(figures, "step.mlp.int8", "step.mlp.float")} times as long as the float one (MLP) and ${ratioOf(figures, "step.cnn.int8", "step.cnn.float")} times (CNN); the goal
is 1.3. Written in operations of TensorFlow.js the same quantized steps take ${ratioOf(figures, "baseline.tfjs.step.mlp", "step.mlp.int8")} and ${ratioOf(figures, "baseline.tfjs.step.cnn", "step.cnn.int8")} times as long.

## How it is fast

- A quantizer made of known bricks runs as one pass over memory: division, rounding, clamping and the way back in registers, the
  gradients likewise. What is not known runs as the composition of its operations, which is the definition: a law of the tests
  compares the two on random shapes, bit for bit.
- The kernels are AssemblyScript, compiled to WebAssembly that works on the memory of TensorFlow.js's WASM backend, so no tensor is
  copied. They are ordinary kernels under names of their own: \`Breve...\`. Other code on the same backend is not changed.
- Sums are in a fixed order, so the same input gives the same bits on every machine. With \`relaxedSimd: true\` products of matrices
  use fused multiply-adds where the engine has them (Chromium, Node 22 and later): faster, but the last bits depend on the machine.

## How to repeat it

\`\`\`sh
npm install
npm run bench                          # all figures, as a table
npm run bench -- --only step           # those with "step" in their name
npm run bench -- --json figures.json   # for machines
\`\`\`
`

/**
 * The examples of docs/examples/modules: what they answer, in numbers that can be written down.
 *
 * An example is a function, which is called within a `tf.tidy`, or an Effect, which runs in a Scope of its own.
 */
import { readdirSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import { Backend, QuantTensor } from "breve"
import { Effect, type Scope } from "effect"

/** What a file exports. */
export interface Example {
  readonly example: (() => unknown) | Effect.Effect<unknown, unknown, Backend.Backend | Scope.Scope>
  /** what it answers; a tensor as nested arrays */
  readonly shows: unknown
}

export const folder = new URL("../../../docs/examples/modules/", import.meta.url)

/** The modules that have an example. */
export const names: ReadonlyArray<string> = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""))

export const load = (name: string): Promise<Example> => import(new URL(`${name}.ts`, folder).href)

/** Six digits, as one would write a float32 down. */
const rounded = (x: number): number => (Number.isFinite(x) ? Number(x.toPrecision(6)) + 0 : x)

/** Tensors as nested arrays, numbers with six digits; disposes tensors. */
const written = (answer: unknown): unknown => {
  if (typeof answer === "number") return rounded(answer)
  if (answer instanceof tf.Tensor) {
    const values = answer.arraySync()
    answer.dispose()
    return written(values)
  }
  if (QuantTensor.isQuantTensor(answer)) {
    const { value, scale, zeroPoint, bitWidth, signed } = answer
    return written({ value, scale, zeroPoint, bitWidth, signed })
  }
  if (ArrayBuffer.isView(answer)) return Array.from(answer as Float32Array, rounded)
  if (Array.isArray(answer)) return answer.map(written)
  return typeof answer === "object" && answer !== null
    ? Object.fromEntries(Object.entries(answer).map(([name, one]) => [name, written(one)]))
    : answer
}

/** What an example answers. A tensor that it leaves behind is a defect. */
export const answerOf = ({ example }: Example): Promise<unknown> => {
  const program =
    typeof example === "function"
      ? Effect.sync(() => written(tf.tidy(() => example() as tf.TensorContainer)))
      : Effect.map(example, written)
  return Effect.gen(function* () {
    yield* Backend.Backend
    const before = tf.memory().numTensors
    const answer = yield* Effect.scoped(program)
    const left = tf.memory().numTensors - before
    return left === 0 ? answer : yield* Effect.die(new Error(`${left} tensors are left behind`))
  }).pipe(Effect.provide(Backend.layer), Effect.runPromise)
}

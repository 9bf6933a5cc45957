/**
 * What the replays of the core vectors share: reading tensors, evaluating with gradients on a backend, comparing.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, ManagedRuntime } from "effect"
import * as Backend from "../../../src/backend/Backend.ts"
import * as Gradient from "../../../src/tensor/Gradient.ts"
import { type BackendName, type Case, failed, type Outcome, passed } from "../Case.ts"
import { tidied } from "./Numbers.ts"

export type Tensors = Readonly<Record<string, tf.Tensor>>

/** What breve computed for a case, under the names of the vectors. */
export interface Evaluated {
  readonly outputs: Readonly<Record<string, tf.Tensor | undefined>>
  readonly grads?: Readonly<Record<string, tf.Tensor | null | undefined>>
}

export interface Comparison {
  /** elementwise rounding and clamping: no tolerance, and the sign of zero where `signedZero` */
  readonly exact?: boolean
  readonly signedZero?: boolean
  /** names of gradients through a scale; their terms may nearly cancel */
  readonly throughScale?: ReadonlyArray<string>
}

// ---- backends -----------------------------------------------------------------------------------------------

const runtimes = { wasm: ManagedRuntime.make(Backend.layer), cpu: ManagedRuntime.make(Backend.cpu) }

/** Runs `f` on the backend; every tensor that it makes is disposed. */
export const on = async <A>(backend: BackendName, f: () => A): Promise<A> => {
  await runtimes[backend].runPromise(Effect.void)
  await tf.setBackend(backend)
  return tidied(f)
}

/** The same for what takes its time; nothing else may run meanwhile. */
export const onAsync = async <A>(backend: BackendName, f: () => Promise<A> | A): Promise<A> => {
  await runtimes[backend].runPromise(Effect.void)
  await tf.setBackend(backend)
  tf.engine().startScope()
  try {
    return await f()
  } finally {
    tf.engine().endScope()
  }
}

// ---- reading ------------------------------------------------------------------------------------------------

const special: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY
}
export const numberOf = (u: number | string): number => (typeof u === "number" ? u : (special[u] as number))

/** A written tensor as float32, whatever its type in the file. */
export const tensorOf = (written: { readonly shape: ReadonlyArray<number>; readonly data: ReadonlyArray<any> }) =>
  tf.tensor(Float32Array.from(written.data, numberOf), [...written.shape], "float32")

export const tensorsOf = (written: Readonly<Record<string, any>> | undefined): Tensors =>
  Object.fromEntries(Object.entries(written ?? {}).map(([name, one]) => [name, tensorOf(one)]))

// ---- gradients ----------------------------------------------------------------------------------------------

/** The gradients of `sum(f(inputs) * cotangent)` by name; null for a name without a path. */
export const gradients = (
  f: (inputs: Tensors) => tf.Tensor,
  inputs: Tensors,
  names: ReadonlyArray<string>,
  cotangent: tf.Tensor
): Readonly<Record<string, tf.Tensor | null>> => {
  const at = names.map((name) => inputs[name] as tf.Tensor)
  const loss = (given: ReadonlyArray<tf.Tensor>): tf.Tensor => {
    const y = f({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, given[i] as tf.Tensor])) })
    return tf.sum(tf.mul(tf.reshape(y, cotangent.shape), cotangent))
  }
  const found = Gradient.valueAndGradients(loss, at).gradients
  return Object.fromEntries(names.map((name, i) => [name, found[i] as tf.Tensor | null]))
}

// ---- comparing ----------------------------------------------------------------------------------------------

const close = (a: number, b: number, absolute: number, relative: number): boolean =>
  Object.is(a, b) || a === b || (Number.isFinite(b) && Math.abs(a - b) <= absolute + relative * Math.abs(b))

const differing = (
  name: string,
  written: any,
  actual: tf.Tensor | undefined,
  same: (a: number, b: number) => boolean
): string | undefined => {
  if (actual === undefined) return `${name}: not computed`
  const size = tf.util.sizeFromShape(written.shape)
  const shaped = size === 1 && actual.size === 1 ? true : JSON.stringify(actual.shape) === JSON.stringify(written.shape)
  if (!shaped) return `${name}: expected the shape [${written.shape}], got [${actual.shape}]`
  const data = actual.dataSync()
  const at = written.data.findIndex(
    (b: number | string, i: number) => !same(data[i] as number, Math.fround(numberOf(b)))
  )
  return at < 0 ? undefined : `${name}[${at}]: expected ${written.data[at]}, got ${data[at]}`
}

/** `sum |cotangent * value| / min |scale|`: the size of the terms that a gradient through a scale sums. */
const cancelling = (testCase: Case): number => {
  const { cotangent } = testCase.inputs ?? {}
  const { value } = testCase.outputs
  const scales = [testCase.outputs.scale, testCase.inputs?.scale].flatMap((written) => written?.data ?? [])
  if (cotangent === undefined || value === undefined) return 0
  const terms = cotangent.data.map((c: any, i: number) => Math.abs(numberOf(c) * numberOf(value.data[i] ?? 0)))
  const sizes = (scales.length === 0 ? [1] : scales).map((s: any) => Math.abs(numberOf(s))).filter((s) => s > 0)
  return terms.reduce((a: number, b: number) => a + b, 0) / Math.min(...sizes, Number.POSITIVE_INFINITY) || 0
}

/** Compares every output and gradient that the case lists; what was not computed fails. */
export const compared = (testCase: Case, { outputs, grads }: Evaluated, how: Comparison = {}): Outcome => {
  const ofValue = (written: any) => (a: number, b: number) =>
    how.signedZero
      ? Object.is(a, b)
      : how.exact || written.dtype !== "float32"
        ? Object.is(a, b) || a === b
        : close(a, b, 1e-6, 1e-5)
  const noPath: ReadonlyArray<string> = testCase.config.no_grad_path ?? []
  const wrong = [
    ...Object.entries(testCase.outputs).map(([name, written]) =>
      differing(name, written, outputs[name], ofValue(written))
    ),
    ...Object.entries(testCase.grads ?? {}).map(([name, written]: [string, any]) => {
      const actual = grads?.[name]
      if (actual === null) {
        const zero = written.data.every((b: number) => b === 0)
        return zero || noPath.includes(name) ? undefined : `gradient of ${name}: there is no path`
      }
      const extra = how.throughScale?.includes(name) ? 4e-6 * cancelling(testCase) : 0
      const same = (a: number, b: number): boolean =>
        how.exact ? Object.is(a, b) || a === b : close(a, b, 1e-5 + extra, 1e-4)
      return differing(`gradient of ${name}`, written, actual, same)
    })
  ].filter((reason) => reason !== undefined)
  return wrong.length === 0 ? passed : failed(wrong.slice(0, 3).join("; "))
}

/**
 * The laws of putting layers together: how they are grouped does not matter, and one alone is itself.
 *
 * Groupings hold the same layers, with the same cells: what is compared is what they answer, and what is remembered of it.
 *
 * Room: laws. Imports: fast-check, tfjs, effect, `core`, `nn`, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as fc from "fast-check"
import * as QuantTensor from "../src/core/QuantTensor.ts"
import * as Layer from "../src/nn/Layer.ts"
import * as Model from "../src/nn/Model.ts"
import { numbersFrom } from "./KernelLaws.ts"
import * as Law from "./Law.ts"

// ---- subjects -----------------------------------------------------------------------------------------------

type Layers = Readonly<Record<string, Layer.Layer>>

/** What the laws are about: layers, made anew with the same numbers each time, and a way to put them one after the other. */
export interface Sequence {
  readonly name: string
  readonly make: Effect.Effect<readonly [Layer.Layer, Layer.Layer, Layer.Layer], unknown, Scope.Scope>
  readonly input: ReadonlyArray<number>
  readonly sequential: (layers: Layers) => Layer.Layer
}

/** breve's own way. */
export const sequential: Sequence["sequential"] = Model.sequential

// ---- answers ------------------------------------------------------------------------------------------------

const parts = { seed: fc.nat(1e5), steps: fc.integer({ min: 1, max: 3 }), training: fc.boolean() }

/** What a layer answers to a few inputs one after another, as bits: training remembers them. */
const answers = (
  layer: Layer.Layer,
  { input }: Sequence,
  { seed, steps, training }: { readonly seed: number; readonly steps: number; readonly training: boolean }
): Effect.Effect<string, unknown> =>
  Effect.map(
    Effect.forEach(Array.from({ length: steps }), (_, i) =>
      Effect.scoped(
        Effect.gen(function* () {
          const next = numbersFrom(seed + i)
          const values = Float32Array.from(
            { length: tf.util.sizeFromShape([...input]) },
            () => (next() % 2001) / 1000 - 1
          )
          const x = yield* Effect.acquireRelease(
            Effect.sync(() => tf.tensor(values, [...input], "float32")),
            (x) => Effect.sync(() => x.dispose())
          )
          const y = yield* Layer.forward(layer, x, training ? Layer.training : Layer.evaluation)
          const bits = QuantTensor.tensorsOf(y).map((part) => `[${part.shape}] ${part.dataSync().join(" ")}`)
          QuantTensor.dispose(y)
          return bits.join("; ")
        })
      )
    ),
    (all) => all.join("\n")
  )

type Made = readonly [Layer.Layer, Layer.Layer, Layer.Layer]

/** Two ways to put the same layers together answer the same. */
const alike = (
  statement: Law.Statement<Sequence>,
  one: (subject: Sequence, made: Made) => Layer.Layer,
  other: (subject: Sequence, made: Made) => Layer.Layer
): Law.Law<Sequence> =>
  Law.forAllAsync({ weight: 8, ...statement }, parts, (subject, given) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const mine = yield* answers(one(subject, yield* subject.make), subject, given)
          const theirs = yield* answers(other(subject, yield* subject.make), subject, given)
          return mine === theirs || `${mine.slice(0, 150)}, the other way ${theirs.slice(0, 150)}`
        })
      ) as Effect.Effect<Law.Holds>
    )
  )

// ---- laws ---------------------------------------------------------------------------------------------------

/** Of three layers it does not matter which two come together first. */
export const associative: Law.Law<Sequence> = alike(
  { name: "sequences are associative", states: "(a; b); c = a; (b; c) = a; b; c, in value and memory" },
  ({ sequential }, [a, b, c]) => sequential({ front: sequential({ a, b }), c }),
  ({ sequential }, [a, b, c]) => sequential({ a, back: sequential({ b, c }) })
)

/** Nothing is added by a sequence: it is what its layers do one after the other. */
export const composed: Law.Law<Sequence> = alike(
  { name: "a sequence is its layers", states: "(a; b; c)(x) = c(b(a(x)))" },
  ({ sequential }, [a, b, c]) => sequential({ a, b, c }),
  (_, [a, b, c]) =>
    Model.functional({ a, b, c }, (layer, x: Layer.Value) => {
      const first = layer.a(x) as Layer.Value
      return layer.c(layer.b(first) as Layer.Value) as Layer.Value
    })
)

/** A sequence of nothing hands on what it gets. */
export const neutral: Law.Law<Sequence> = alike(
  { name: "a sequence of nothing is the identity", states: "(); a = a = a; ()" },
  ({ sequential }, [a, b, c]) => sequential({ none: sequential({}), a, b, c, last: sequential({}) }),
  ({ sequential }, [a, b, c]) => sequential({ a, b, c })
)

/** Every law of sequences. */
export const all: ReadonlyArray<Law.Law<Sequence>> = [associative, composed, neutral]

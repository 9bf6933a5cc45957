/**
 * The laws of gradients through a tensor quantizer: the straight-through rule that it states, and what it learns.
 *
 * Room: laws. Imports: tfjs, `tensor`, fast-check, its own room.
 */
import * as tf from "@tensorflow/tfjs-core"
import * as fc from "fast-check"
import * as Tree from "../src/tensor/Tree.ts"
import * as Claims from "./Claims.ts"
import * as GradientLook from "./GradientLook.ts"
import * as Look from "./Look.ts"
import * as QuantizerLaw from "./QuantizerLaw.ts"
import * as Sample from "./Sample.ts"
import type * as Subject from "./Subject.ts"

const { close, flowing, gradientsOf, passedOn, unremarkable, upstream } = GradientLook
const { equal, every, look, onGrid, positionOf, tidied } = Look

// ---- laws ---------------------------------------------------------------------------------------------------

/** A gradient for each element of the input, and numbers all of them. */
export const finite: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "gradient",
    states: "shape(dx) = shape(x), and dx and the gradient of all that is learned are finite",
    claimed: "always, on finite tensors that have a scale",
    conditions: []
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    if (onGrid(seen).length < seen.x.length) return true
    const { dx, shape, learned } = gradientsOf(ready, x, dy)
    if (dx === undefined || shape === undefined) return "nothing flows back to x"
    if (!tf.util.arraysEqual([...shape], [...x.shape])) return `the gradient has the shape [${shape.join(", ")}]`
    const wrong = learned.find(({ gradient }) => gradient?.some((g) => !Number.isFinite(g)))
    if (wrong !== undefined)
      return `the gradient of ${wrong.name} is ${wrong.gradient?.find((g) => !Number.isFinite(g))}`
    return every(x.values.keys(), seen, (i) => !Number.isFinite(dx[i]) && `with the gradient ${dx[i]}`)
  }
)

/** Where nothing is cut off, the gradient passes as if nothing had been rounded. */
export const inside: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "straight through",
    states: "dx_i = dy_i s_i/s'_i where low < u_i < high, s' the scale that rounds, x_i no extreme of a statistic",
    claimed: "of integers whose scale is fixed or follows extremes",
    conditions: [Claims.straight]
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
    const { dx } = gradientsOf(ready, x, dy)
    const plain = unremarkable(ready, x)
    const within = onGrid(seen).filter(
      (i) => plain(i) && positionOf(seen, i) > low + 0.01 && positionOf(seen, i) < high - 0.01
    )
    return every(within, seen, (i) => {
      const wanted = passedOn(seen, dy, i)
      return !close(dx?.[i] ?? 0, wanted, 1e-5) && `with the gradient ${dx?.[i]} where ${wanted} flows in`
    })
  }
)

/** Beyond the range the gradient stops, or passes, as the clamp says. */
export const beyond: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "beyond the range",
    states: "dx_i = 0 (TensorClamp) or dy_i s_i/s'_i (TensorClampSte) where u_i < low - 1 or u_i > high + 1",
    claimed: "of integers whose scale is fixed or follows extremes, and whose clamp is one of these",
    conditions: [Claims.straight, Claims.knownClamp]
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
    const { dx } = gradientsOf(ready, x, dy)
    const plain = unremarkable(ready, x)
    const out = onGrid(seen).filter(
      (i) => plain(i) && (positionOf(seen, i) < low - 1 || positionOf(seen, i) > high + 1)
    )
    return every(out, seen, (i) => {
      const wanted = ready.promised.clamp === "passes" ? passedOn(seen, dy, i) : 0
      return !close(dx?.[i] ?? 0, wanted, 1e-5) && `with the gradient ${dx?.[i]}, not ${wanted}`
    })
  }
)

/** A minifloat's step grows with the magnitude, and so the gradient follows the rounded value; among the subnormals it is one step. */
export const minifloat: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "minifloat gradient",
    states:
      "dx_i = dy_i q(x)_i/x_i where 2^emin <= |u_i| < high, dy_i s_i/s'_i where |u_i| < 2^emin, x_i no extreme of a statistic",
    claimed: "of minifloats whose scale is fixed or follows extremes",
    conditions: [Claims.minifloats, Claims.knownRange, Claims.plainScale]
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    const { format } = ready.promised.facts
    const least = 2 ** (1 - (format.kind === "minifloat" ? (format.bias ?? 0) : 0))
    const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
    const { dx } = gradientsOf(ready, x, dy)
    const plain = unremarkable(ready, x)
    // at the ends of the normal range it depends on how the position is rounded where it lies
    const within = onGrid(seen).filter((i) => {
      const u = positionOf(seen, i)
      return plain(i) && u > low * (1 - 1e-5) && u < high * (1 - 1e-5) && Math.abs(Math.abs(u) / least - 1) > 1e-5
    })
    return every(within, seen, (i) => {
      const u = positionOf(seen, i)
      const wanted = passedOn(seen, dy, i) * (Math.abs(u) < least ? 1 : Look.codeOf(seen, i) / u)
      return !close(dx?.[i] ?? 0, wanted, 1e-5) && `with the gradient ${dx?.[i]}, not ${wanted}`
    })
  }
)

/** Twice as much from above is twice as much below. */
export const linear: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "linear gradient",
    states: "dx(2^k dy) = 2^k dx(dy), and so for all that is learned",
    claimed: "always",
    conditions: [],
    weight: 3
  },
  (ready) => ({ ...flowing(ready), k: fc.integer({ min: -4, max: 4 }) }),
  (ready, { x, dy, k }) => {
    const seen = look(ready, x)
    const [one, many] = [
      gradientsOf(ready, x, dy),
      gradientsOf(
        ready,
        x,
        dy.map((v) => v * 2 ** k)
      )
    ]
    const wrong = one.learned.find(({ gradient }, j) =>
      gradient?.some((g, i) => !equal(g * 2 ** k, many.learned[j]?.gradient?.[i]))
    )
    if (wrong !== undefined) return `the gradient of ${wrong.name} is not ${2 ** k} times as large`
    return every(x.values.keys(), seen, (i) => {
      const [a, b] = [one.dx?.[i] ?? 0, many.dx?.[i] ?? 0]
      return !equal(a * 2 ** k, b) && `with the gradients ${a}, and ${b} for ${2 ** k} times as much`
    })
  }
)

/** What the scale that is learned has to do with its gradient: both sides are what one relative step changes. */
const relativeStep = ({ learned }: GradientLook.Gradients): number =>
  learned
    .filter(({ name }) => name.startsWith("scalingImpl"))
    .reduce((sum, { value, gradient }) => sum + value.reduce((s, v, i) => s + v * (gradient?.[i] ?? 0), 0), 0)

/** Whether an element is cut off; at the very ends it depends on how its position is rounded, and nothing is answered. */
const cutOff = (ready: Subject.Ready, seen: Look.Look, i: number): boolean | undefined => {
  const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
  const code = Math.round(Look.codeOf(seen, i))
  const rounded = positionOf(seen, i)
  if (Math.abs(Math.abs(rounded - code) - 0.5) < 1e-3) return undefined
  return (code === low && rounded < low - 0.5) || (code === high && rounded > high + 0.5)
}

/** The gradient of a learned scale is that of learned step sizes. */
export const learnedScale: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "learned scale",
    states: "sum(p dp) = sum(dy (q(x) - x [inside])), p the learned scales",
    claimed: "of integers with a learned float scale and no zero-point",
    conditions: [Claims.straight, Claims.learnedScale, Claims.knownClamp]
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    const terms = [...x.values.keys()].map((i) => {
      const stops = cutOff(ready, seen, i)
      if (stops === undefined) return undefined
      const through = !stops || ready.promised.clamp === "passes"
      return (dy[i] as number) * ((seen.value[i] as number) - (through ? (x.values[i] as number) : 0))
    })
    if (terms.includes(undefined)) return true
    const wanted = terms.reduce<number>((sum, term) => sum + (term ?? 0), 0)
    const found = relativeStep(gradientsOf(ready, x, dy))
    const size = x.values.reduce(
      (sum, v, i) => sum + (dy[i] as number) * (Math.abs(v) + Math.abs(seen.value[i] as number)),
      0
    )
    return Math.abs(found - wanted) <= 2e-5 * size || `one relative step of the scales changes ${found}, not ${wanted}`
  }
)

/** A zero-point moves what is cut off, and nothing else: what is not is rounded where it was. */
export const learnedZeroPoint: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "learned zero-point",
    states:
      "sum(sgn(p) dp) = -sum(dy_i), x_i beyond the range (TensorClamp), or 0 (TensorClampSte), p what lies below 0, low < z < high",
    claimed: "of integers with a learned zero-point whose clamp is one of these",
    conditions: [Claims.learnedZeroPoint, Claims.knownClamp]
  },
  flowing,
  (ready, { x, dy }) => {
    const seen = look(ready, x)
    const [low, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 0]
    // a zero-point at an end of the range may have been cut off itself
    if (onGrid(seen).length < seen.x.length || seen.zeroPoint.some((z) => !(z > low && z < high))) return true
    const cut = [...x.values.keys()].map((i) => cutOff(ready, seen, i))
    if (cut.includes(undefined)) return true
    const stops = ready.promised.clamp === "stops"
    const wanted = cut.reduce<number>((sum, one, i) => sum - (one && stops ? (dy[i] as number) : 0), 0)
    const found = gradientsOf(ready, x, dy)
      .learned.filter(({ name }) => name.startsWith("zeroPointImpl"))
      .reduce(
        (sum, { value, gradient }) => sum + value.reduce((s, v, i) => s + (v < 0 ? -1 : 1) * (gradient?.[i] ?? 0), 0),
        0
      )
    const size = dy.reduce((sum, v) => sum + v, 0)
    return Math.abs(found - wanted) <= 2e-5 * size || `the gradient is ${found}, not ${wanted}`
  }
)

/** Where q is smooth in its learned scales, beyond the range, their gradient is what finite differences tell. */
export const differences: QuantizerLaw.Any = QuantizerLaw.forAll(
  {
    name: "finite differences",
    states: "sum(p dp) = (L(p (1 + h)) - L(p (1 - h))) / 2h, L = sum(dy q(x)), all x beyond the range",
    claimed: "of learned float scales without a zero-point",
    conditions: [Claims.learnedScale, Claims.saturating]
  },
  (ready) => ({ signs: fc.nat(255), dy: upstream(ready) }),
  (ready, { signs, dy }) => {
    const [, high] = Claims.rangeOf(ready.promised.facts) ?? [0, 1]
    const far = 100 * high * ready.step
    const x = Sample.make(
      ready.shape,
      dy.map((_, i) => ((signs >> (i % 8)) & 1 ? -far : far))
    )
    const h = 2 ** -6
    const moved = (by: number): number => {
      const parameters = Tree.map(ready.state.parameters, (leaf, name) =>
        name.startsWith("scalingImpl") ? tf.mul(leaf, by) : leaf
      )
      const { value } = look({ ...ready, state: { ...ready.state, parameters } }, x)
      return value.reduce((sum, v, i) => sum + v * (dy[i] as number), 0)
    }
    const wanted = tidied(() => (moved(1 + h) - moved(1 - h)) / (2 * h))
    const found = relativeStep(gradientsOf(ready, x, dy))
    const size = dy.reduce((sum, v) => sum + v * high * ready.step, 0)
    return Math.abs(found - wanted) <= 1e-4 * size || `finite differences tell ${wanted}, the gradient ${found}`
  }
)

/** Every law of gradients. */
export const all: ReadonlyArray<QuantizerLaw.Any> = [
  finite,
  inside,
  beyond,
  minifloat,
  linear,
  learnedScale,
  learnedZeroPoint,
  differences
]

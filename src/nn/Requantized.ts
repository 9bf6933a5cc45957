/**
 * A layer with other quantizers than it was made with: a float layer gets some, a quantized one loses them.
 *
 * Room: nn (level 4). Imports: tfjs, effect, `proxy`, `tensor`, `./Layer.ts`, `./Weighted.ts`. Laws: test/nn/Requantized.test.ts.
 */
import * as tf from "@tensorflow/tfjs-core"
import { Effect, type Scope } from "effect"
import * as Cell from "../proxy/Cell.ts"
import * as QuantProxy from "../proxy/QuantProxy.ts"
import * as LeasedRef from "../tensor/LeasedRef.ts"
import * as Tree from "../tensor/Tree.ts"
import type * as Layer from "./Layer.ts"
import type * as Weighted from "./Weighted.ts"

const copied = <Leaf extends tf.Tensor | number>(tree: Tree.Tree<Leaf>): Tree.Tree<Leaf> =>
  Tree.map(tree, (leaf) => (leaf instanceof tf.Tensor ? (tf.keep(leaf.clone()) as typeof leaf) : leaf))

/**
 * A layer of its own with a copy of what the given one has learned, and with these quantizers and no others, which begin anew. A
 * quantizer is a declaration, or a proxy to share; where none is named there is none. It lives in the surrounding Scope; the layer
 * that was given stays as it is.
 *
 * - formula:  the layer's, with these quantizers
 * - shapes:   the layer's
 * - gradient: the layer's
 * - errors:   those of a resolution
 * - source:   Brevitas, graph/base.py (ModuleToModule, which rewrites modules with their weights)
 *
 * @category forks
 * @since 0.4.0
 */
export const make = (
  layer: Weighted.Weighted,
  quantizers: Weighted.Quantizers
): Effect.Effect<Weighted.Weighted, Layer.BuildError, Scope.Scope> =>
  Effect.gen(function* () {
    const next = yield* layer.remade(quantizers)
    yield* Effect.sync(() => {
      const { parameters, memory } = LeasedRef.current(layer.own)
      Cell.commit(next.own, { parameters: copied(parameters), memory: copied(memory) })
    })
    for (const [, proxy] of next.proxies) yield* QuantProxy.reload(proxy)
    return next
  })

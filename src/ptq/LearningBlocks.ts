/**
 * Which weights of a model learn together.
 *
 * Room: ptq (level 5). Imports: effect, `nn`, the errors of `tensor`, types of `./LearnedQuantizers.ts` and `./Ptq.ts`. Laws:
 * test/ptq/RoundLearning.test.ts.
 */
import { Effect } from "effect"
import type * as Layer from "../nn/Layer.ts"
import * as Model from "../nn/Model.ts"
import { nearest } from "../tensor/Nearest.ts"
import { UnknownLayer } from "../tensor/StepErrors.ts"
import type * as LearnedQuantizers from "./LearnedQuantizers.ts"
import type * as Ptq from "./Ptq.ts"

/** What learns together: a layer or a model by its path, and the weights in it. */
export interface Block {
  readonly path: string
  readonly layer: Layer.Layer
  readonly targets: ReadonlyArray<LearnedQuantizers.Target>
}

/** Each layer alone, what stands at the top of the model, or layers and models by their paths, in this order. */
export type Blocks = "layers" | "children" | ReadonlyArray<string>

/** All layers of a model by their paths, the models among them before their layers. */
const places = (layer: Layer.Stateful, path = ""): ReadonlyArray<readonly [string, Layer.Stateful]> => [
  [path, layer] as const,
  ...(Model.isComposed(layer)
    ? Object.entries(layer.layers).flatMap(([name, one]) => places(one, path === "" ? name : `${path}.${name}`))
    : [])
]

/** The blocks that are asked for, without those in which nothing is learned. */
export const blocksOf = (
  model: Ptq.Model,
  targets: ReadonlyArray<LearnedQuantizers.Target>,
  asked: Blocks = "layers",
  step: string
): Effect.Effect<ReadonlyArray<Block>, UnknownLayer> =>
  Effect.gen(function* () {
    const all = places(model)
    const top = Model.isComposed(model) ? Object.keys(model.layers) : [""]
    const paths = asked === "layers" ? targets.map(({ name }) => name) : asked === "children" ? top : asked
    const known = all.map(([path]) => path)
    const taken = new Set<string>()
    const blocks: Array<Block> = []
    for (const path of paths) {
      const found = all.find(([other]) => other === path)
      if (found === undefined)
        return yield* new UnknownLayer({ step, layer: path, known, nearest: nearest(path, known) })
      const within = targets.filter(
        ({ name }) => !taken.has(name) && (path === "" || name === path || name.startsWith(`${path}.`))
      )
      for (const { name } of within) taken.add(name)
      if (within.length > 0) blocks.push({ path, layer: found[1] as Layer.Layer, targets: within })
    }
    return blocks
  })

/**
 * One of several answers of a layer, as a layer: so that it may stand in a sequence.
 *
 * Room: nn (level 4). Imports: `./Layer.ts`.
 */
import type { Layer, Value } from "./Layer.ts"

/**
 * The same layer, which answers one of its values only.
 *
 * ```ts
 * Model.sequential({ lstm: Select.answer(lstm, "output"), classify: linear })
 * ```
 *
 * - formula:  `y = layer(x).name`
 * - shapes:   those of that value
 * - gradient: that of the layer
 * - errors:   those of the layer
 * - source:   Keras, the option return_sequences of recurrent layers
 *
 * @since 0.3.0
 */
export const answer = <In, Out extends Readonly<Record<string, Value>>>(
  layer: Layer<In, Out>,
  name: keyof Out & string
): Layer<In> => ({
  ...layer,
  apply: (states, x, mode) => {
    const [y, after] = layer.apply(states, x, mode)
    return [y[name] as Value, after]
  }
})

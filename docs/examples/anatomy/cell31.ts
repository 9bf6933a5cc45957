import * as tf from "@tensorflow/tfjs-core"
import { BinaryQuant, Brick, Injector, type Module, Scaling } from "breve"
import { pipe } from "effect"

export const CommonQuantizer = Injector.make("CommonQuantizer", {
  scalingImpl: Scaling.ParameterScaling,
  signed: true,
  tensorQuant: Injector.choose("isClamped", {
    true: BinaryQuant.ClampedBinaryQuant,
    false: BinaryQuant.BinaryQuant
  }),
  scalingShape: Injector.choose("scalingPerOutputChannel", {
    true: Injector.link("perChannelBroadcastableShape"),
    false: []
  })
})

const lastAxis = ({ outChannels }: Module.Module) => [1, 1, 1, outChannels]

export const AdvancedWeightQuantizer = pipe(
  CommonQuantizer,
  Injector.merge(
    Injector.make({
      perChannelBroadcastableShape: Injector.value(["module"], lastAxis),
      scalingInit: Brick.tensor(
        ["module", "scalingPerOutputChannel"],
        ({ weight }: Module.Module, perChannel: boolean) =>
          perChannel ? tf.max(tf.abs(weight), [0, 1, 2], true) : tf.max(tf.abs(weight))
      )
    })
  ),
  Injector.named("AdvancedWeightQuantizer")
)

export const AdvancedActQuantizer = pipe(
  CommonQuantizer,
  Injector.merge(Injector.make({ scalingInit: 0.01 })),
  Injector.named("AdvancedActQuantizer")
)

export const run = [AdvancedWeightQuantizer.name, AdvancedActQuantizer.name]

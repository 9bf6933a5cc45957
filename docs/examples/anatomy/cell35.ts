import { Activation } from "breve"
import { Effect } from "effect"
import { AdvancedActQuantizer } from "./cell31.ts"

const identity = Activation.quantIdentity({
  // @ts-expect-error "perChannelBroadcastableShape" is missing
  actQuant: AdvancedActQuantizer,
  act: { isClamped: true, scalingPerOutputChannel: true }
})

// without the compiler: MissingDependency, with the way that led there
export const run = Effect.flip(identity)

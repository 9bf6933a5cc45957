/**
 * Every pack of laws.
 */
import * as Backends from "./BackendPack.ts"
import * as Clamp from "./ClampPack.ts"
import * as Injector from "./InjectorPack.ts"
import * as Integer from "./IntegerPack.ts"
import * as Kernel from "./KernelPack.ts"
import * as Layers from "./LayerPack.ts"
import * as Memory from "./MemoryPack.ts"
import * as Minifloat from "./MinifloatPack.ts"
import * as OptimalScale from "./OptimalScalePack.ts"
import * as Optimizers from "./OptimizerPack.ts"
import * as Pack from "./Pack.ts"
import * as PowerOfTwo from "./PowerOfTwoPack.ts"
import * as Proxies from "./ProxyPack.ts"
import * as QuantTensor from "./QuantTensorPack.ts"
import * as Resolution from "./ResolutionPack.ts"
import * as Rounding from "./RoundingPack.ts"
import * as State from "./StatePack.ts"
import * as TensorQuantizer from "./TensorQuantizerPack.ts"
import * as Transform from "./TransformPack.ts"

export const packs: ReadonlyArray<Pack.Any> = [
  Pack.any(Backends.pack),
  Pack.any(Clamp.pack),
  Pack.any(Injector.pack),
  Pack.any(Integer.pack),
  Pack.any(Kernel.pack),
  Pack.any(Layers.pack),
  Pack.any(Memory.pack),
  Pack.any(Memory.operations),
  Pack.any(Minifloat.pack),
  Pack.any(OptimalScale.pack),
  Pack.any(Optimizers.pack),
  Pack.any(PowerOfTwo.pack),
  Pack.any(Proxies.pack),
  Pack.any(QuantTensor.pack),
  Pack.any(QuantTensor.widthPack),
  Pack.any(Resolution.pack),
  Pack.any(Rounding.pack),
  Pack.any(Rounding.stochastic),
  Pack.any(State.pack),
  Pack.any(TensorQuantizer.pack),
  Pack.any(Transform.pack)
]

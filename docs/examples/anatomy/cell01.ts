import { Injector, ScaledInt } from "breve"

export const run = Injector.isInjector(ScaledInt.Int8ActPerTensorFloat) // true

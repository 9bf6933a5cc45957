import { pack, stochastic } from "./RoundingPack.ts"
import { suite } from "./Suite.ts"

suite(pack)
suite(stochastic)

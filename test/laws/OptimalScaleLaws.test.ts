import { pack } from "./OptimalScalePack.ts"
import { suite } from "./Suite.ts"

suite(pack)

import { pack } from "./ResolutionPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

import { pack } from "./InjectorPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

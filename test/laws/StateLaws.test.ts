import { pack } from "./StatePack.ts"
import { suite } from "./Suite.ts"

suite(pack)

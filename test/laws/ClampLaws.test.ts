import { pack } from "./ClampPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

import { pack } from "./BackendPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

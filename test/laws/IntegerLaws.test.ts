import { pack } from "./IntegerPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

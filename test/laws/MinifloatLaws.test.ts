import { pack } from "./MinifloatPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

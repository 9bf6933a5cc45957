import { pack } from "./LayerPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

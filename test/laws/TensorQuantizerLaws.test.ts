import { suite } from "./Suite.ts"
import { pack } from "./TensorQuantizerPack.ts"

suite(pack)

import { pack } from "./OptimizerPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

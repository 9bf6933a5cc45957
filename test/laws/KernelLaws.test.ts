import { pack } from "./KernelPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

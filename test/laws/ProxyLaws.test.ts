import { pack } from "./ProxyPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

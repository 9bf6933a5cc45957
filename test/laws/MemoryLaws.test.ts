import { operations, pack } from "./MemoryPack.ts"
import { suite } from "./Suite.ts"

suite(pack)
suite(operations)

import { pack } from "./PowerOfTwoPack.ts"
import { suite } from "./Suite.ts"

suite(pack)

import { pack, widthPack } from "./QuantTensorPack.ts"
import { suite } from "./Suite.ts"

suite(pack)
suite(widthPack)
